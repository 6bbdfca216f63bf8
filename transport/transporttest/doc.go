// Package transporttest checks that an implementation of transport.Channel
// keeps the rules of package transport.
package transporttest
