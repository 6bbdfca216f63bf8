package main

import (
	"slices"
	"strings"

	"github.com/chunkferry/chunkferry/transport/transporttest"
	"github.com/chunkferry/chunkferry/transports/memchan"
)

// adapter is a transport as the commands know it. This file is the only one
// that names them all.
type adapter struct {
	name    string
	pair    transporttest.Pair
	kit     *transporttest.Options
	compare bool // takes part in ferry compare
}

var adapters = []adapter{
	{name: "memory", pair: memchan.Pair, kit: nil, compare: true},
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
