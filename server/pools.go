package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fstore-dev/fstore/online"
)

// pools is a collector of the store's connections, by the role of the server.
type pools func() map[string]online.Pool

var (
	poolOpen = prometheus.NewDesc("fstore_store_pool_open_connections",
		"Connections to the servers of the online store, by role.", []string{"role"}, nil)
	poolIdle = prometheus.NewDesc("fstore_store_pool_idle_connections",
		"Connections that no call uses.", []string{"role"}, nil)
	poolHits = prometheus.NewDesc("fstore_store_pool_hits_total",
		"Calls that found an idle connection.", []string{"role"}, nil)
	poolMisses = prometheus.NewDesc("fstore_store_pool_misses_total",
		"Calls that had to open a connection.", []string{"role"}, nil)
	poolTimeouts = prometheus.NewDesc("fstore_store_pool_timeouts_total",
		"Calls that waited for a connection in vain: more calls ran than the pool has connections.", []string{"role"}, nil)
)

// Describe implements prometheus.Collector.
func (p pools) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolOpen, poolIdle, poolHits, poolMisses, poolTimeouts} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p pools) Collect(out chan<- prometheus.Metric) {
	for role, pool := range p() {
		out <- prometheus.MustNewConstMetric(poolOpen, prometheus.GaugeValue, float64(pool.Open), role)
		out <- prometheus.MustNewConstMetric(poolIdle, prometheus.GaugeValue, float64(pool.Idle), role)
		out <- prometheus.MustNewConstMetric(poolHits, prometheus.CounterValue, float64(pool.Hits), role)
		out <- prometheus.MustNewConstMetric(poolMisses, prometheus.CounterValue, float64(pool.Misses), role)
		out <- prometheus.MustNewConstMetric(poolTimeouts, prometheus.CounterValue, float64(pool.Timeouts), role)
	}
}
