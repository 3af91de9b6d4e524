package native

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// socketPair makes a socket: this side's end, and the other for another process.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	our, their := os.NewFile(uintptr(fds[0]), "native"), os.NewFile(uintptr(fds[1]), "native")
	defer our.Close() // FileConn has a copy
	conn, err := net.FileConn(our)
	if err != nil {
		their.Close()
		return nil, nil, fmt.Errorf("native: socket: %w", err)
	}
	return conn, their, nil
}

// copyBuffer is what is copied at a time: a TLS record's worth and some.
const copyBuffer = 32 << 10

// copyBoth copies between a client's TLS and its session's process until one of them ends, and closes both. What a session says
// last reaches the client; a client that reads nothing is let go.
func copyBoth(client, session net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() { // what the person does
		_, _ = io.CopyBuffer(onlyWriter{session}, onlyReader{client}, make([]byte, copyBuffer))
		if c, ok := session.(*net.UnixConn); ok {
			_ = c.CloseWrite()
		}
	})
	_, _ = io.CopyBuffer(patientWriter{client}, onlyReader{session}, make([]byte, copyBuffer))
	_ = client.Close()
	_ = session.Close()
	wg.Wait()
}

// Without the other methods io.CopyBuffer uses the buffer it is given.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// patientWriter waits so long and no longer for each write.
type patientWriter struct{ net.Conn }

func (w patientWriter) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(stalled)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}
