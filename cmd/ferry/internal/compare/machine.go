package compare

import (
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/cmd/ferry/internal/compare/result"
)

// libraries carry the bytes that are compared.
var libraries = []string{
	"github.com/coder/websocket",
	"github.com/quic-go/quic-go",
	"github.com/pion/webrtc/v4",
	"github.com/pion/sctp",
	"gvisor.dev/gvisor",
}

func thisMachine() result.Machine {
	m := result.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	m.Ferry = strings.Trim(build.Main.Version, "()") // of a checkout, Go makes one of the commit, or (devel)
	for _, module := range build.Deps {
		if slices.Contains(libraries, module.Path) {
			m.Libraries = append(m.Libraries, result.Library{Path: module.Path, Version: module.Version})
		}
	}
	return m
}
