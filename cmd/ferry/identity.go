package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// senderKey is the secret that makes this sender's transfer ids impossible to
// guess. It is made on first use and kept with the user's configuration.
func senderKey() ([]byte, error) {
	const length = 32
	return kept("sender.key", func(key []byte) error {
		if len(key) != length {
			return errors.New("not a key")
		}
		return nil
	}, func() ([]byte, error) {
		key := make([]byte, length)
		rand.Read(key)
		return key, nil
	})
}

// identity is what makes the URL of a receiver.
type identity struct {
	cert  tls.Certificate
	token string
}

// identityFile is its form on disk.
type identityFile struct {
	Token       string `json:"token"`
	Certificate string `json:"certificate"` // PEM
	Key         string `json:"key"`         // PEM
}

// leastValid is how long a kept certificate must still be valid to be used.
const leastValid = 24 * time.Hour

// receiverIdentity returns the identity that belongs to a directory, so that
// the URL survives a restart. With an error the identity is good for this run
// only.
func receiverIdentity(dir string) (identity, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	name := fmt.Sprintf("receiver-%x.json", sha256.Sum256([]byte(abs)))
	raw, err := kept(name, func(raw []byte) error {
		_, err := parseIdentity(raw)
		return err
	}, newIdentity)
	if err != nil {
		fresh, freshErr := newIdentity()
		if freshErr != nil {
			return identity{}, freshErr
		}
		id, _ := parseIdentity(fresh)
		return id, err
	}
	return parseIdentity(raw)
}

func newIdentity() ([]byte, error) {
	cert, err := pinned.New()
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, err
	}
	return json.Marshal(identityFile{
		Token:       rand.Text(),
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	})
}

func parseIdentity(raw []byte) (identity, error) {
	var f identityFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return identity{}, err
	}
	cert, err := tls.X509KeyPair([]byte(f.Certificate), []byte(f.Key))
	if err != nil {
		return identity{}, err
	}
	if f.Token == "" || time.Until(cert.Leaf.NotAfter) < leastValid {
		return identity{}, errors.New("expired")
	}
	return identity{cert, f.Token}, nil
}

// kept returns a secret file of the user's configuration, and makes it anew
// when it is missing or not valid. Of several processes that make it at once,
// all get the same.
func kept(name string, valid func([]byte) error, fresh func() ([]byte, error)) ([]byte, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "ferry", name)
	content, err := os.ReadFile(path)
	switch {
	case err == nil && valid(content) == nil:
		return content, nil
	case err == nil:
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if content, err = fresh(); err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), name+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Close()); err != nil {
		return nil, err
	}
	// The first to link its file wins; the others read it.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}
