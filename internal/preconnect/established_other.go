//go:build !linux

package preconnect

import "net"

// isEstablished reports false: the state of a connection is read on Linux only.
func isEstablished(net.Conn) bool { return false }
