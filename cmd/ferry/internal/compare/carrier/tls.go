package carrier

import (
	"crypto/tls"
	"sync/atomic"

	"github.com/chunkferry/chunkferry/transports/pinned"
)

// security is the TLS of a place: a certificate that the client pins, and the
// sessions it remembers.
type security struct {
	server *tls.Config
	pin    string
	cache  tls.ClientSessionCache
}

func newSecurity(o Options, protocols ...string) *security {
	return &security{
		server: &tls.Config{Certificates: []tls.Certificate{o.Certificate}, NextProtos: protocols, MinVersion: tls.VersionTLS13},
		pin:    pinned.Pin(o.Certificate),
		cache:  tls.NewLRUClientSessionCache(4),
	}
}

// client returns the configuration of a client that resumes or does not, and
// whether it did, once the handshake is over.
func (s *security) client(resume bool) (*tls.Config, *atomic.Bool, error) {
	config, err := pinned.Client(s.pin)
	if err != nil {
		return nil, nil, err
	}
	resumed := new(atomic.Bool)
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		resumed.Store(state.DidResume)
		return verify(state)
	}
	if resume {
		config.ClientSessionCache = s.cache
	} else {
		// What comes is kept for the next, what is there is not used.
		config.ClientSessionCache = writeOnly{s.cache}
	}
	config.NextProtos = s.server.NextProtos
	config.ServerName = "ferry.invalid" // the key of the cache; the pin decides
	return config, resumed, nil
}

// writeOnly is a cache that remembers for others.
type writeOnly struct{ tls.ClientSessionCache }

// Get implements tls.ClientSessionCache.
func (writeOnly) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
