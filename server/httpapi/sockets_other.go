//go:build !linux

package httpapi

import "net"

// hasUnread is not known here.
func hasUnread(net.Conn) bool { return false }

// refuseClients does nothing here.
func refuseClients(net.Listener) {}

// clientsWait is not known here.
func clientsWait(net.Listener) bool { return false }
