package emulator

// parcel is a packet on its way.
type parcel struct {
	due  int64 // ns since New
	n    int64 // breaks ties in the order of sending
	data []byte
}

func (p *parcel) before(q *parcel) bool {
	return p.due < q.due || (p.due == q.due && p.n < q.n)
}

// wire holds the packets on their way, the next to arrive first: a binary heap.
// container/heap would allocate for each packet.
type wire []parcel

func (w *wire) push(p parcel) {
	*w = append(*w, p)
	h := *w
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (w *wire) pop() parcel {
	h := *w
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h[last] = parcel{}
	h = h[:last]
	*w = h
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
