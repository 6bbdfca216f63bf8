package main

import (
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/dcchan"
	"github.com/chunkferry/chunkferry/transports/memchan"
	"github.com/chunkferry/chunkferry/transports/quicchan"
	"github.com/chunkferry/chunkferry/transports/wschan"
	"github.com/chunkferry/chunkferry/transports/wschan/nhooyr"
)

// adapter is a transport as the commands know it. This file is the only one
// that names them all.
type adapter struct {
	name string
	pair transporttest.Pair
	kit  *transporttest.Options
}

var adapters = []adapter{
	{name: "memory", pair: memchan.Pair, kit: nil},
	{name: "ws", pair: wschan.Pair, kit: &transporttest.Options{Cut: wschan.CutPair, Many: wschan.ManyPair}},
	{name: "wss", pair: wschan.SecurePair, kit: &transporttest.Options{Cut: wschan.CutPair}},
	{name: "nhooyr", pair: nhooyr.Pair, kit: nil},
	{name: "quic", pair: quicchan.Pair, kit: &transporttest.Options{Cut: quicchan.CutPair, Many: quicchan.ManyPair}},
	{name: "webrtc", pair: dcchan.Pair, kit: &transporttest.Options{Cut: dcchan.CutPair, Many: dcchan.ManyPair}},
}

func adapterNames(wanted func(adapter) bool) []string {
	var names []string
	for _, a := range adapters {
		if wanted(a) {
			names = append(names, a.name)
		}
	}
	return names
}

// chooseAdapters finds the adapters named, in the order of the table, or says
// which names there are.
func chooseAdapters(names []string, wanted func(adapter) bool) ([]adapter, error) {
	known := adapterNames(wanted)
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, misusef("unknown transport %q: choose from %s", n, strings.Join(known, ", "))
		}
	}
	var chosen []adapter
	for _, a := range adapters {
		if wanted(a) && (len(names) == 0 || slices.Contains(names, a.name)) {
			chosen = append(chosen, a)
		}
	}
	return chosen, nil
}
