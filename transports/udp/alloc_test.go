//go:build !race

package udp_test

import "testing"

func TestPacketsAllocateNothing(t *testing.T) {
	a, b := listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")
	const packets = 32
	out, in, to := make([]byte, 1200), make([]byte, 1500), addrOf(b)
	patience(t, b)
	once := func() {
		for range packets {
			if _, err := a.WriteToAddrPort(out, to); err != nil {
				t.Fatal(err)
			}
		}
		for range packets {
			if _, _, err := b.ReadFromAddrPort(in); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		once()
	}
	// Starting the writer may take an allocation now and then.
	if perPacket := testing.AllocsPerRun(200, once) / packets; perPacket > 0.1 {
		t.Errorf("%.2f allocations a packet", perPacket)
	}
}
