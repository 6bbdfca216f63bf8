// Package metrics shows a pipeline.Server's counters to Prometheus.
package metrics

import (
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chunkferry/chunkferry/pipeline"
)

// Serve serves /metrics over plain HTTP on addr, which should be a loopback
// address, until stop is called.
func Serve(addr string, s *pipeline.Server) (stop func(), err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	return func() {
		server.Close()
		<-done
	}, nil
}

// collector reads the counters whenever Prometheus asks.
type collector struct{ server *pipeline.Server }

type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(pipeline.Counters) float64
}

func gauge(name, help string, value func(pipeline.Counters) float64) metric {
	return metric{prometheus.NewDesc("ferry_"+name, help, nil, nil), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(pipeline.Counters) float64) metric {
	return metric{prometheus.NewDesc("ferry_"+name+"_total", help, nil, nil), prometheus.CounterValue, value}
}

var all = []metric{
	gauge("transfers", "Transfers open now.", func(c pipeline.Counters) float64 { return float64(c.Transfers) }),
	gauge("channels", "Channels open now.", func(c pipeline.Counters) float64 { return float64(c.Channels) }),
	gauge("handshakes", "Channels open now that have not asked for a transfer.", func(c pipeline.Counters) float64 { return float64(c.Handshakes) }),
	gauge("granted_bytes", "Bytes that senders may have on their way now.", func(c pipeline.Counters) float64 { return float64(c.Buffered) }),
	counter("transfers_started", "Transfers started.", func(c pipeline.Counters) float64 { return float64(c.Started) }),
	counter("transfers_resumed", "Transfers continued after an interruption.", func(c pipeline.Counters) float64 { return float64(c.Resumed) }),
	counter("transfers_completed", "Transfers verified, synced and renamed.", func(c pipeline.Counters) float64 { return float64(c.Completed) }),
	counter("transfers_suspended", "Transfers kept until their sender comes back.", func(c pipeline.Counters) float64 { return float64(c.Suspended) }),
	counter("transfers_failed", "Transfers that ended for a reason of the receiver's.", func(c pipeline.Counters) float64 { return float64(c.Failed) }),
	counter("transfers_canceled", "Transfers ended on purpose.", func(c pipeline.Counters) float64 { return float64(c.Canceled) }),
	counter("channels_refused", "Channels that never got a transfer.", func(c pipeline.Counters) float64 { return float64(c.Refused) }),
	counter("channels_unauthorized", "Channels refused for their token.", func(c pipeline.Counters) float64 { return float64(c.Unauthorized) }),
	counter("received_bytes", "Content bytes received, repetitions included.", func(c pipeline.Counters) float64 { return float64(c.Bytes) }),
	counter("blocks", "Blocks verified and written.", func(c pipeline.Counters) float64 { return float64(c.Blocks) }),
	counter("bad_blocks", "Blocks that did not have their hash.", func(c pipeline.Counters) float64 { return float64(c.BadBlocks) }),
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range all {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	now := c.server.Counters()
	for _, m := range all {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(now))
	}
}
