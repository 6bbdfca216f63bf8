// Package transporttest checks that an implementation of transport.Channel
// keeps the rules of package transport, and measures it. It knows no
// implementation: all it needs is a function that opens a connected pair, the
// signature of every adapter's Pair.
//
// The whole of an adapter's conformance test:
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, mychan.Pair, nil)
//	}
//
//	func BenchmarkChannel(b *testing.B) {
//		transporttest.Bench(b, mychan.Pair)
//	}
//
// A channel that declares Properties.DeadPeer must also be shown to notice:
//
//	transporttest.Run(t, mychan.Pair, &transporttest.Options{
//		Cut: func(ctx context.Context) (a, b transport.Channel, cut func(), err error) {
//			// open the pair through a relay, return the relay's black hole as cut
//		},
//	})
//
// Each check is a subtest with a name fit for -run, and fails with the words of
// the rule that was broken. [Check] runs the same checks outside of go test.
//
// # What is checked
//
// The list is the same for every implementation ([Checks]); what a check
// verifies depends on what the channel declares. On a channel that is not
// ordered every message must arrive exactly once; on one that is not reliable a
// part of them, whole and at most once; an ability that is not declared must
// be refused and the refusal change nothing.
//
// # What it can miss
//
// It gives no false alarms: calls that need no waiting have 20 seconds, and
// only rules that state a time are held to one. But a race may need several
// runs and the race detector to show, a lost wake-up more cycles than we make,
// and a bound on memory above what we send is not seen. That several channels
// on one carrier share it fairly is not checked, since no rule promises it.
// Hostile peers, foreign peers, idle connections outliving their carrier's
// timeouts and lossy networks are the business of each adapter's own tests.
//
// Each check is itself proved: the tests of this package hold at least one
// broken channel for each, and fail where a check does not catch it.
package transporttest
