package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chunkferry/chunkferry/transport/transporttest"
)

func newCheck() *cobra.Command {
	var names []string
	all := func(adapter) bool { return true }
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Run the conformance kit on the transports",
		Long: `Check runs the conformance kit of package transporttest over loopback: the same
list of checks for every transport, a line each with the rule it checks. It
exits with 1 if one of them fails.`,
		Example: `  ferry check
  ferry check --transport quic`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := chooseAdapters(names, all)
			if err != nil {
				return err
			}
			failed := 0
			for _, a := range chosen {
				out := cmd.OutOrStdout()
				passed := 0
				err := transporttest.Check(cmd.Context(), a.pair, a.kit, func(r transporttest.Result) {
					if r.Err != nil {
						failed++
						fmt.Fprintf(out, "FAIL  %-8s %-28s %v\n      rule: %s\n", a.name, r.Name, r.Err, r.Rule)
						return
					}
					passed++
					fmt.Fprintf(out, "ok    %-8s %-28s %8v  %s\n", a.name, r.Name, r.Elapsed.Round(time.Millisecond), r.Rule)
				})
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				if err != nil && failed == 0 {
					return fmt.Errorf("%s: %w", a.name, err)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d checks passed\n", a.name, passed)
			}
			if failed > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d checks failed\n", failed)
				return errFailed
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&names, "transport", nil, "transports to check, `names` of "+strings.Join(adapterNames(all), ", ")+" (default all)")
	complete(cmd, "transport", adapterNames(all)...)
	return cmd
}
