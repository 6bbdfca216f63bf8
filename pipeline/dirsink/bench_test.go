package dirsink_test

import (
	"fmt"
	"testing"

	"github.com/chunkferry/chunkferry/pipeline"
)

// smallFiles are 10,000 files of 4 KiB in 100 directories, in blocks of 1 MiB.
func smallFiles() *source {
	files := make([]file, 10_000)
	for i := range files {
		files[i] = file{fmt.Sprintf("d%d/e%d/f%d", i/1000, i/100%10, i), 4096}
	}
	return newSource(1, files...)
}

// BenchmarkSmallFiles receives 10,000 files of 4 KiB, synced and committed.
func BenchmarkSmallFiles(b *testing.B) {
	s := smallFiles()
	receive(b, s)
}

// BenchmarkLargeFile receives one file of 256 MiB, synced and committed.
func BenchmarkLargeFile(b *testing.B) {
	receive(b, newSource(2, file{"large", 256 << 20}))
}

func receive(b *testing.B, s *source) {
	hashes := make([]pipeline.Hash, s.blocks())
	for n := range s.blocks() {
		hashes[n] = s.hash(n)
	}
	root := pipeline.RootHash(hashes)
	b.SetBytes(int64(len(s.stream)))
	for b.Loop() {
		b.StopTimer()
		// All directories stay until the end: ext4 is slow for seconds at
		// making files where many were just removed.
		sink := newSink(b, b.TempDir(), nil)
		b.StartTimer()
		st := open(b, sink, s.m)
		held(b, st)
		for n := range s.blocks() {
			if err := st.WriteBlock(n, s.block(n), hashes[n]); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := st.Commit(b.Context(), int64(len(s.stream)), root); err != nil {
			b.Fatal(err)
		}
	}
}
