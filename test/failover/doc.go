// Package failover plays failovers of a Redis with sentinels under materialize and look-ups.
package failover
