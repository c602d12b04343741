package main

import (
	"net"
	"regexp"
	"strconv"
)

// What a setting may be.
const (
	maxThreads = 1024
	minMemory  = 32      // MB: with less the engine cannot even read definitions
	maxMemory  = 1 << 40 // MB
)

var memoryLimit = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT])i?B$`)

// parseMemory returns an amount of memory such as 4GB in megabytes.
func parseMemory(s string) (megabytes float64, ok bool) {
	m := memoryLimit.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	return n * map[string]float64{"K": 1e-3, "M": 1, "G": 1e3, "T": 1e6}[m[2]], true
}

// isAddress reports whether a text has the form host:port; the host may be empty, the port is a number.
func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// isOnline reports whether a URL has the form of an online store's.
func isOnline(u URL) bool {
	switch u.scheme() {
	case "sqlite", "redis", "rediss", "unix":
		return u.path() != ""
	}
	return false
}

// fallback returns the default of a setting.
func fallback(key string) string {
	for _, k := range settingKeys {
		if k.name == key {
			return k.fallback
		}
	}
	return ""
}
