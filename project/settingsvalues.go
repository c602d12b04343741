package project

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis"
)

// The limits of settings.
const (
	maxThreads  = 1024
	minMemory   = 32        // MB: with less the engine cannot even read definitions
	maxMemory   = 1 << 40   // MB
	maxRate     = 1_000_000 // requests per second of a caller
	minCache    = 1         // MB
	minInFlight = 16        // MB: the largest request needs a third of it
)

var memoryLimit = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT])i?B$`)

// ParseMemory converts an amount of memory such as 4GB to megabytes.
func ParseMemory(s string) (megabytes float64, ok bool) {
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

// IsAddress reports whether a text has the form host:port. The host may be empty, and the port is a number.
func IsAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

var hostName = regexp.MustCompile(`^(?i:[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*(?i:[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)$`)

// isHost reports whether a text is the name or address of a host, without a port.
func isHost(s string) bool { return hostName.MatchString(s) || net.ParseIP(s) != nil }

// onlineMistake returns what is wrong with the URL of an online store and a hint, or "" if its form is valid.
func onlineMistake(u URL) (what, hint string) {
	if u.path() == "" || !u.isRedis() && u.scheme() != "sqlite" {
		return "is not an online store's URL", "for example sqlite://.fstore/online.db, redis://127.0.0.1:6379/0, or redis+sentinel://127.0.0.1:26379/PRIMARY/0"
	}
	if u.isRedis() {
		if err := redis.CheckURL(u.reveal()); err != nil {
			message, hints := fstore.Explain(err)
			return strings.TrimPrefix(message, "the online store's URL "), hints[0]
		}
	}
	return "", ""
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
