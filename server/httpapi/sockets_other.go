//go:build !linux

package httpapi

import "net"

// hasUnread is not known here.
func hasUnread(net.Conn) bool { return false }
