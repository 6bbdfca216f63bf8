//go:build !linux

package main

// beBatch knows nothing to ask for.
func beBatch() {}
