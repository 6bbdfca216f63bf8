package quicchan_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/chunkferry/chunkferry/transport"
	"github.com/chunkferry/chunkferry/transports/pinned"
	"github.com/chunkferry/chunkferry/transports/quicchan"
)

// quic-go's own default ends an idle connection after 30 s. Here the idle
// timeout is shortened, and the silence five times as long.
func TestIdleChannelLives(t *testing.T) {
	opts := &quicchan.Options{DeadPeer: 600 * time.Millisecond, IdleTimeout: 100 * time.Millisecond}
	l := listen(t, opts)
	a, b := dial(t, l, opts), accept(t, l)
	silence, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := b.Receive(silence); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("in the silence: %v", err)
	}
	converse(t, a, b)
}

func TestDeadPeerIsNoticed(t *testing.T) {
	a, b, cut, err := quicchan.CutPair(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	converse(t, a, b)
	p, _ := transport.PropertiesOf(a)
	if p.DeadPeer <= 0 || p.DeadPeer > 10*time.Second {
		t.Errorf("DeadPeer is %v, want at most 10 s", p.DeadPeer)
	}
	cut()
	start := time.Now()
	for _, ch := range []transport.Channel{a, b} {
		_, err := ch.Receive(testContext(t))
		if !errors.Is(err, transport.ErrPeerGone) || !errors.Is(err, transport.ErrAborted) {
			t.Errorf("Receive: %v, want ErrPeerGone", err)
		}
		if d := time.Since(start); d > p.DeadPeer+time.Second {
			t.Errorf("noticed after %v, declared %v", d, p.DeadPeer)
		}
		if err := ch.Send(nil); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("Send: %v, want ErrClosed", err)
		}
	}
}

// A server that is killed and started again with its certificate tells its
// peers so at their next packet, long before the silence would.
func TestRestartIsNoticedAtOnce(t *testing.T) {
	cert, err := pinned.New()
	if err != nil {
		t.Fatal(err)
	}
	server, target := startServer(t, cert)
	a, err := quicchan.Dial(testContext(t), target, &quicchan.Options{Pin: pinned.Pin(cert)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	if _, err := a.Receive(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait()

	again, err := quicchan.Listen(strings.TrimPrefix(target, "quic://"), serverOptions(cert))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	start := time.Now()
	// A reset answers no packet smaller than itself (RFC 9000, section 10.3.3).
	if err := a.Send(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_, err = a.Receive(testContext(t))
	if _, ok := errors.AsType[*quic.StatelessResetError](err); !ok || !errors.Is(err, transport.ErrAborted) {
		t.Errorf("Receive: %v, want a stateless reset", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("noticed after %v", d)
	}
}

func serverOptions(cert tls.Certificate) *quicchan.Options {
	return &quicchan.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}
}

// keyVariable names the file with the certificate of a server process.
const keyVariable = "QUICCHAN_TEST_SERVER"

// startServer runs this test's program as a server that greets one channel.
func startServer(t *testing.T, cert tls.Certificate) (server *os.Process, target string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "certificate.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), keyVariable+"="+file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := fmt.Fscanln(out, &target); err != nil {
		t.Fatal(err)
	}
	return cmd.Process, target
}

// serve is the server's main. It ends by being killed.
func serve(file string) error {
	cert, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return err
	}
	l, err := quicchan.Listen("127.0.0.1:0", serverOptions(cert))
	if err != nil {
		return err
	}
	fmt.Println(l.URL())
	ch, err := l.Accept(context.Background())
	if err != nil {
		return err
	}
	if err := ch.SendText("ahoy"); err != nil {
		return err
	}
	_, err = ch.Receive(context.Background())
	return err
}
