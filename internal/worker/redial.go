package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// redialer is how a locked-in worker gets new connections: it asks serve for them over the dial socket.
type redialer struct {
	conn *net.UnixConn
	turn chan struct{} // capacity 1: holds a value while somebody asks
	last uint32        // number of the last request; whoever has the turn owns it
}

func newRedialer(conn *net.UnixConn) *redialer {
	return &redialer{conn: conn, turn: make(chan struct{}, 1)}
}

// redial gives a new connection: to the target where address is empty, else to where the target sends the session.
func (r *redialer) redial(ctx context.Context, address string) (net.Conn, error) {
	p := purposeReconnect
	if address != "" {
		p = purposeRedirect
	}
	return r.dial(ctx, p, address)
}

// dial asks for a connection and waits for it, for a bounded time.
func (r *redialer) dial(ctx context.Context, p purpose, address string) (net.Conn, error) {
	if len(address) > maxAddressBytes {
		return nil, fmt.Errorf("worker: address of %d bytes exceeds %d: %w", len(address), maxAddressBytes, desktop.ErrProtocol)
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := r.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, fmt.Errorf("worker: dial socket: %w", err)
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		_ = r.conn.SetDeadline(time.Unix(1, 0))
	})
	conn, err := r.exchange(p, address)
	if !stop() {
		<-cut // else it would cut the next one short
		if conn != nil {
			conn.Close()
		}
		return nil, context.Cause(ctx)
	}
	return conn, err
}

func (r *redialer) exchange(p purpose, address string) (net.Conn, error) {
	r.last++
	if _, err := r.conn.Write(dialRequest{p, r.last, address}.append(nil)); err != nil {
		return nil, fmt.Errorf("worker: dial socket: %w", err)
	}
	for {
		answer, conn, err := r.receive()
		switch {
		case err != nil:
			return nil, err
		case answer.number != r.last: // of a request that was given up
			if conn != nil {
				conn.Close()
			}
			continue
		case answer.code != codeConnected:
			return nil, dialRefusal(answer.code, address)
		case conn == nil:
			return nil, errors.New("worker: dial socket: an answer without a connection")
		}
		return conn, nil
	}
}

// receive reads one answer and the connection that comes with it, if one does.
func (r *redialer) receive() (dialAnswer, net.Conn, error) {
	var answer dialAnswer
	var b [answerBytes + 1]byte
	oob := make([]byte, unix.CmsgSpace(4)) // one descriptor
	n, oobn, flags, _, err := r.conn.ReadMsgUnix(b[:], oob)
	if err != nil {
		return answer, nil, fmt.Errorf("worker: dial socket: %w", err)
	}
	conn, err := passedConn(oob[:oobn])
	if err == nil {
		err = answer.decode(b[:n])
	}
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = errors.New("worker: dial socket: the connection did not fit")
	}
	if err != nil && conn != nil {
		conn.Close()
		conn = nil
	}
	return answer, conn, err
}

// passedConn takes the descriptor out of a control message; nil when there is none.
func passedConn(oob []byte) (net.Conn, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("parse control message", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "target"))
		}
	}
	defer func() {
		for _, f := range files {
			f.Close() // FileConn has a copy
		}
	}()
	if len(files) != 1 {
		return nil, fmt.Errorf("worker: dial socket: %d descriptors, want 1", len(files))
	}
	return net.FileConn(files[0])
}

// dialRefusal words why there is no connection.
func dialRefusal(code dialCode, address string) error {
	switch code {
	case codeNotAllowed:
		return fmt.Errorf("worker: it sends the session to %s, which the configuration does not allow: %w", address, desktop.ErrEnded)
	case codeTimeout:
		return fmt.Errorf("worker: nothing answers at its address: %w", desktop.ErrTimeout)
	case codeTooOften:
		return fmt.Errorf("worker: it was dialled too often: %w", desktop.ErrTargetGone)
	case codeUnreachable:
		return fmt.Errorf("worker: it cannot be reached: %w", desktop.ErrTargetGone)
	}
	return fmt.Errorf("worker: dial socket: code %d", code)
}
