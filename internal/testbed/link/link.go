// Package link makes network links that behave badly on purpose, for tests: loss, delay, jitter, a rate with a bounded queue, a
// path MTU, UDP that is blocked, nothing at all.
//
// A Link joins the network namespace of the test to one of its own. Each end is a TUN device, so that programs and sockets on both
// sides are real ones; what lies between is Go:
//
//	test's namespace                                              the Link's namespace
//	sockets ─ TUN ─▶ reader ─▶ shaper (Download) ─▶ writer ─▶ TUN ─ sockets, processes
//	          TUN ◀─ writer ◀─ shaper (Upload)   ◀─ reader ◀─ TUN
//
// The namespace has no name and nothing else in it: it is gone with the Link. Everything in it reaches the test's namespace by
// the Link only, at Link.Host or at any other address of that.
//
// It needs Linux, root (CAP_NET_ADMIN, CAP_SYS_ADMIN), /dev/net/tun and iproute2; no queueing discipline of the kernel.
package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
)

// Link is one link and the namespace at its end. Its methods may be called from any goroutine.
type Link struct {
	// Host is the address of the test's end, Client that of the end in the Link's namespace. Both are IPv4.
	Host, Client netip.Addr

	download, upload *line
	space            *namespace
	host, client     *os.File // the TUN devices
	wg               sync.WaitGroup

	mu       sync.Mutex
	closers  []func()
	closed   bool
	closeErr error
}

// New makes a perfect link. What it will lose is drawn from seed.
func New(seed uint64) (*Link, error) {
	space, err := newNamespace()
	if err != nil {
		return nil, err
	}
	l := &Link{space: space, download: newLine(seed), upload: newLine(seed + 1)}
	if err := l.connect(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.wg.Go(func() { l.download.read(l.host) })
	l.wg.Go(func() { l.download.write(l.client) })
	l.wg.Go(func() { l.upload.read(l.client) })
	l.wg.Go(func() { l.upload.write(l.host) })
	return l, nil
}

// connect makes both devices and gives them addresses.
func (l *Link) connect() (err error) {
	var name string
	if l.host, name, err = openTUN("vitrine%d"); err != nil {
		return err
	}
	index, err := interfaceIndex(name)
	if err != nil {
		return err
	}
	l.Host, l.Client = addresses(index)
	if err := configure(name, l.Host, l.Client, false); err != nil {
		return err
	}
	return l.Do(func() error {
		const name = "link0"
		if l.client, _, err = openTUN(name); err != nil {
			return err
		}
		return configure(name, l.Client, l.Host, true)
	})
}

// Set makes both directions behave so from now on. Packets under way are not touched, except by Outage.
func (l *Link) Set(c Conditions) {
	l.download.set(c)
	l.upload.set(c)
}

// SetDownload is Set for packets to the Link's namespace.
func (l *Link) SetDownload(c Conditions) { l.download.set(c) }

// SetUpload is Set for packets from the Link's namespace.
func (l *Link) SetUpload(c Conditions) { l.upload.set(c) }

// Download returns what became of the packets to the Link's namespace so far.
func (l *Link) Download() Counters { return l.download.counters() }

// Upload returns what became of the packets from the Link's namespace so far.
func (l *Link) Upload() Counters { return l.upload.counters() }

// Do runs fn in the Link's namespace, one at a time: sockets that fn makes, and processes that it starts, are there. fn must make
// them itself, not in another goroutine; they may be used anywhere afterwards. A process started with Pdeathsig ends with the Link.
func (l *Link) Do(fn func() error) error { return l.space.do(fn) }

// Close ends the link; what forwards, the devices and the namespace are gone when it returns. Processes in the namespace
// keep it, unconnected, until they end: end them first.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.closeErr
	}
	l.closed = true
	for _, f := range l.closers {
		f()
	}
	var errs []error
	for _, f := range []*os.File{l.host, l.client} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	l.download.close()
	l.upload.close()
	l.wg.Wait()
	l.space.close()
	l.closeErr = errors.Join(errs...)
	return l.closeErr
}

// onClose has f called by Close; at once when that was before.
func (l *Link) onClose(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		f()
		return
	}
	l.closers = append(l.closers, f)
}

// String names the ends.
func (l *Link) String() string { return fmt.Sprintf("link %v-%v", l.Host, l.Client) }
