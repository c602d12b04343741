package httpapi

import (
	"net"
	"syscall"
)

// control calls fn with the socket of a connection or a listener. It returns false if there is none.
func control(of any, fn func(fd int)) bool {
	c, ok := of.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { fn(int(fd)) }) == nil
}

// hasUnread reports whether a connection has bytes that nobody has read.
func hasUnread(conn net.Conn) (has bool) {
	control(conn, func(fd int) {
		n, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		has = err == nil && n > 0
	})
	return has
}

// refuseClients has the system drop the first packet of clients that connect to a TCP listener. They send it again after a
// second, when the port is closed. Without that, a client that connects at the instant of closing would lose its request.
func refuseClients(l net.Listener) {
	const flags, syn, all = 13, 2, 1<<31 - 1 // where TCP has its flags, and the one of the first packet
	drop := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: flags},
		{Code: syscall.BPF_JMP | syscall.BPF_JSET | syscall.BPF_K, K: syn, Jf: 1},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: all},
	}
	if _, ok := l.Addr().(*net.TCPAddr); ok {
		control(l, func(fd int) { _ = syscall.AttachLsf(fd, drop) }) //nolint:staticcheck // where it fails, that client tries again
	}
}

// clientsWait reports whether clients have connected to a listener and are not accepted.
func clientsWait(l net.Listener) (wait bool) {
	control(l, func(fd int) {
		var set syscall.FdSet
		const word = 8 * 8
		if fd < 0 || fd >= len(set.Bits)*word {
			return
		}
		set.Bits[fd/word] = 1 << (fd % word)
		n, err := syscall.Select(fd+1, &set, nil, nil, &syscall.Timeval{})
		wait = err == nil && n > 0
	})
	return wait
}
