package report

import (
	"strings"
	"testing"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

func TestCommand(t *testing.T) {
	real := oneResult()
	real.Links[0] = result.Link{Name: "example.org:4433", Kind: "real"}
	real.Results[0].Link = real.Links[0].Name
	real.Settings.File = "a b'c.mp4"
	for _, tt := range []struct {
		name  string
		from  *result.Report
		parts []string
	}{
		{"kernel", sweep(), []string{"--link rtt=50ms,rate=100mbit,queue=1bdp ", " --link-kernel ", " --cc reno ", " --sweep loss=0,0.1%,1%,3% ", " --size 64MiB "}},
		{"several links", standard(), []string{"--link lan --link dsl --link transatlantic ", " --transports ws,quic,webrtc ", " --seed 7"}},
		{"messages", messages(), []string{" --mode messages ", " --message-size 64KiB ", " --baselines=false"}},
		{"a file over a real network", real, []string{"ferry compare URL ", ` --file 'a b'\''c.mp4' `}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Command(tt.from)
			for _, part := range tt.parts {
				if !strings.Contains(got, part) {
					t.Errorf("%s\nhas no %q", got, part)
				}
			}
		})
	}
}
