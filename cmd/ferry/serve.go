package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/remote"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/hub"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/metrics"
	"github.com/chunkferry/chunkferry/cmd/ferry/internal/size"
	"github.com/chunkferry/chunkferry/pipeline"
	"github.com/chunkferry/chunkferry/pipeline/dirsink"
	"github.com/chunkferry/chunkferry/transport"
)

type serveFlags struct {
	dir       string
	listen    string
	host      string
	token     string
	overwrite overwrite
	names     string
	maxSize   size.Bytes
	minFree   size.Bytes
	limitRate size.Bytes
	metrics   string
	plain     bool
	once      bool
	json      bool
	qr        bool
	verbose   bool
	grace     time.Duration
	compare   bool
}

// How long what nobody continues is kept, and how often it is looked for.
const (
	keepUnfinished = 30 * 24 * time.Hour
	cleanEvery     = time.Hour
)

func newServe() *cobra.Command {
	f := serveFlags{minFree: 64 << 20}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive files on every transport at once",
		Long: `Serve receives files into a directory, over WebSocket, QUIC and WebRTC on one
port number (TCP and UDP). It prints one URL that contains everything a sender
needs: host, port, access token and the pin of its certificate. For the same
directory and port it stays the same for up to twelve days.

A file appears under its name only when it is complete, verified and synced.
What was interrupted is kept in the hidden directory .ferry and continues when
the same file is sent again, over any transport.

Ctrl-C lets running transfers finish for --grace and then suspends them; a
second Ctrl-C ends at once, and still nothing that has arrived is lost.`,
		Example: `  ferry serve --dir incoming
  ferry serve --listen :4433 --once --qr
  ferry serve --max-size 10GB --overwrite rename --json --metrics 127.0.0.1:9090`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "dir", ".", "`directory` that files are put into; made if it is missing")
	flags.StringVar(&f.listen, "listen", ":4433", "`host:port` to listen on, TCP and UDP; port 0 takes a free one")
	flags.StringVar(&f.host, "host", "", "`host` to put into the URL (default: found out)")
	flags.StringVar(&f.token, "token", "", "access `token` that senders need (default: a random one, kept for the directory)")
	flags.Var(&f.overwrite, "overwrite", "`policy` for a name that is taken: refuse, rename, replace")
	flags.StringVar(&f.names, "names", "portable", "file names to take: `portable` (valid on every system) or local (valid on this one)")
	flags.Var(&f.maxSize, "max-size", "most `bytes` of one transfer (default no limit)")
	flags.Var(&f.minFree, "min-free", "`bytes` that stay free on the disk")
	flags.Var(&f.limitRate, "limit-rate", "most `bytes` a second from one peer (default no limit)")
	flags.StringVar(&f.metrics, "metrics", "", "serve Prometheus metrics on this loopback `host:port`")
	flags.BoolVar(&f.compare, "allow-compare", false, "take part in 'ferry compare URL': what arrives for it is hashed and dropped")
	flags.BoolVar(&f.plain, "plain", false, "no TLS over TCP: for a reverse proxy in front, or to see what TLS costs")
	flags.BoolVar(&f.once, "once", false, "end after the first complete transfer")
	flags.BoolVar(&f.json, "json", false, "print events as JSON, one object a line")
	flags.BoolVar(&f.qr, "qr", false, "print the URL as a QR code, too")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every channel on standard error")
	flags.DurationVar(&f.grace, "grace", 10*time.Second, "how long running transfers may finish after Ctrl-C")
	complete(cmd, "names", "portable", "local")
	complete(cmd, "overwrite", "refuse", "rename", "replace")
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic("ferry: internal error: " + err.Error())
	}
	return cmd
}

func (f *serveFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	rules, known := map[string]dirsink.NameRules{"portable": dirsink.PortableNames, "local": dirsink.LocalNames}[f.names]
	if !known {
		return misusef("--names %s: choose portable or local", f.names)
	}
	if f.metrics != "" && !isLoopback(f.metrics) {
		return misusef("--metrics %s: only a loopback address such as 127.0.0.1:9090, as metrics are not protected", f.metrics)
	}
	id, err := receiverIdentity(f.dir)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "ferry: the URL will be another one next time: %v\n", err)
	}
	if f.token == "" {
		f.token = id.token
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	sink, err := dirsink.New(f.dir, &dirsink.Options{
		Overwrite: dirsink.Overwrite(f.overwrite),
		Names:     rules,
		MaxBytes:  int64(f.maxSize),
		MinFree:   int64(f.minFree),
	})
	if err != nil {
		return err
	}
	beBatch()
	boundMemory(memoryWebRTC + memoryServer)
	logger := f.logger(cmd.ErrOrStderr())
	go cleanUp(ctx, sink, logger)
	out := &serveOutput{w: cmd.OutOrStdout(), json: f.json, dir: f.dir}
	completed := make(chan struct{}, 1)
	server := pipeline.NewServer(sink, &pipeline.ServerOptions{
		Token:   f.token,
		MaxSize: int64(f.maxSize),
		Rate:    int64(f.limitRate),
		Logger:  logger,
		Notify: func(n pipeline.Notice) {
			out.notice(n)
			if n.Kind == pipeline.NoticeCompleted {
				select {
				case completed <- struct{}{}:
				default:
				}
			}
		},
	})
	h, err := hub.Listen(f.listen, id.cert, f.plain)
	if err != nil {
		return err
	}
	defer h.Close()
	if f.metrics != "" {
		stop, err := metrics.Serve(f.metrics, server)
		if err != nil {
			return err
		}
		defer stop()
	}
	addr := hub.Address{Host: f.reachable(h.Addr()), Plain: f.plain, Token: f.token, Pin: h.Pin()}
	out.listening(addr.String())
	if f.qr {
		printQR(cmd.ErrOrStderr(), addr.String())
	}

	comparisons := remote.NewServer(f.token)

	// The hub outlives ctx: a transfer that finishes within the grace period
	// still needs its channels.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan struct{})
	go func() {
		defer close(served)
		h.Serve(serving, func(a hub.Accepted) {
			if p, _ := transport.PropertiesOf(a.Channel); p.Label == remote.Label {
				f.takePart(serving, comparisons, a.Channel)
				return
			}
			_ = server.Handle(pipeline.WithPeer(serving, a.Peer), a.Channel) // the log has the error
		})
	}()
	select {
	case <-ctx.Done():
	case <-f.onceDone(completed):
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.grace)
	err = server.Shutdown(grace)
	cancel()
	stop()
	<-served
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintln(cmd.ErrOrStderr(), "ferry: transfers suspended; they continue when this command and their senders run again")
		return errFailed
	}
	return err
}

// cleanUp removes old unfinished transfers until ctx is done.
func cleanUp(ctx context.Context, sink *dirsink.Sink, logger *slog.Logger) {
	tick := time.NewTicker(cleanEvery)
	defer tick.Stop()
	for {
		removed, err := sink.Clean(ctx, keepUnfinished)
		for _, c := range removed {
			logger.Warn("unfinished transfer removed", "transfer", c.ID[:8], "bytes", c.Bytes, "age", c.Age)
		}
		if err != nil && ctx.Err() == nil {
			logger.Warn("cleaning up failed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// takePart serves a channel of ferry compare, if that is allowed. What goes
// wrong is told at the other end.
func (f *serveFlags) takePart(ctx context.Context, s *remote.Server, ch transport.Channel) {
	if f.compare {
		_ = s.Handle(ctx, ch)
	} else {
		_ = ch.Close()
	}
}

// onceDone is completed with --once and never ready without.
func (f *serveFlags) onceDone(completed <-chan struct{}) <-chan struct{} {
	if f.once {
		return completed
	}
	return nil
}

func (f *serveFlags) logger(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	if f.json {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// reachable is the host and port to put into the URL: what the user said, else
// the address listened on, else the one this machine would use to go out.
func (f *serveFlags) reachable(addr *net.TCPAddr) string {
	host := f.host
	if host == "" {
		host = addr.IP.String()
		if addr.IP.IsUnspecified() {
			host = outgoing()
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// outgoing is this machine's address towards the rest of the world. Nothing is
// sent: connecting a UDP socket only asks for a route.
func outgoing() string {
	conn, err := net.Dial("udp", "192.0.2.1:9") // TEST-NET-1, RFC 5737
	if err != nil {
		return "127.0.0.1"
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP.String()
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// overwrite is dirsink.Overwrite as a flag.
type overwrite dirsink.Overwrite

var overwriteNames = map[string]dirsink.Overwrite{
	"refuse": dirsink.Refuse, "rename": dirsink.Rename, "replace": dirsink.Replace,
}

func (o *overwrite) Set(s string) error {
	v, ok := overwriteNames[s]
	if !ok {
		return fmt.Errorf("%q is no policy: choose refuse, rename or replace", s)
	}
	*o = overwrite(v)
	return nil
}

func (o *overwrite) String() string {
	for name, v := range overwriteNames {
		if v == dirsink.Overwrite(*o) {
			return name
		}
	}
	return ""
}

func (o *overwrite) Type() string { return "policy" }
