// Package chunker carries large binary payloads in messages of limited size.
package chunker
