//go:build !linux

package preconnect

import "net"

// isEstablished reports false: only Linux tells the state of a connection.
func isEstablished(net.Conn) bool { return false }
