// Package e2e holds the tests of the whole product: the real binary as its own process, real VNC servers as
// targets, a real MinIO, and a WebRTC viewer made of pion. It has no code of its own outside tests.
package e2e
