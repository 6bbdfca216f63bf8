// Ferry moves large files over any transport and compares the transports.
// Run it with --help for its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// errFailed is the error of a command that has already said what failed.
var errFailed = errors.New("failed")

// misuse is an error in how the command was called.
type misuse struct{ err error }

func (m misuse) Error() string { return m.err.Error() }
func (m misuse) Unwrap() error { return m.err }

func misusef(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

// run is the whole command: results go to stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var wrong misuse
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "ferry: %v\nTry '%s --help'.\n", wrong, cmd.CommandPath())
		return exitMisuse
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "ferry: interrupted")
		return exitFailed
	default:
		fmt.Fprintf(stderr, "ferry: %s\n", plain(err))
		return exitFailed
	}
}

// plain is what a person reads of an error: without the names of packages, and
// with the peer's words marked as such.
func plain(err error) string {
	return strings.NewReplacer("pipeline: peer: ", "the other side says: ", "pipeline: ", "").Replace(err.Error())
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ferry",
		Short: "Large binary payloads over any message channel",
		Long: `Ferry moves large files over WebSocket, QUIC or WebRTC, and compares them.

Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 failed, 2 called wrongly.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misusef("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return misuse{err} })
	root.AddCommand(newServe(), newSend(), newCompare(), newCheck())
	return root
}

// noArguments refuses arguments as misuse.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misusef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
