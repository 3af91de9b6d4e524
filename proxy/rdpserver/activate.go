package rdpserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/license"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Activate lets the client in: it is licensed unless it was, and agrees on capabilities and a desktop of a size in pixels
// ([MS-RDPBCGR] 1.3.1.1, from licensing on). A client that is active is deactivated first. The Conn owns the connection; on an
// error it is closed. The Client is of no use afterwards.
func (c *Client) Activate(ctx context.Context, size image.Point) (*Conn, error) {
	l, err := c.taken()
	if err != nil {
		return nil, err
	}
	conn := newConn(l)
	if err := l.during(ctx, func() error { return conn.activate(size) }); err != nil {
		_ = l.conn.Close()
		return nil, fmt.Errorf("rdpserver: activation: %w", err)
	}
	return conn, nil
}

// Refuse tells the client why it is not let in, and closes the connection. A client shows the reason only once it is active,
// so it is let in as far as that.
func (c *Client) Refuse(ctx context.Context, reason rdp.ErrorInfo) error {
	size := c.Hello.Size
	if desktop.CheckSize(size) != nil {
		size = image.Pt(800, 600)
	}
	conn, err := c.Activate(ctx, size)
	if err != nil {
		return err
	}
	return conn.Disconnect(ctx, reason)
}

// activate runs an activation from its beginning.
func (c *Conn) activate(size image.Point) error {
	if err := desktop.CheckSize(size); err != nil {
		return err
	}
	l := c.link
	var begin []byte
	if !l.licensed {
		begin = appendOn(begin, ioChannel, func(b []byte) []byte {
			return license.AppendValidClient(rdp.AppendSecurityHeader(b, rdp.SecLicensePacket))
		})
		l.licensed = true
	}
	begin = c.appendDemand(begin, size)
	if err := l.write(func(b []byte) []byte { return append(b, begin...) }); err != nil {
		return err
	}
	for range maxHandshakePDUs {
		frame, err := l.frames.Next()
		if err != nil {
			return err
		}
		if frame.FastPath {
			continue // input for the desktop before this one
		}
		done, err := c.activating(frame.Payload)
		if err != nil {
			return err
		}
		if done {
			return l.write(c.appendFinalization)
		}
	}
	return wire.Errorf("more than %d PDUs", maxHandshakePDUs)
}

// appendDemand appends the server's capabilities, and before them the end of the share there is.
func (c *Conn) appendDemand(b []byte, size image.Point) []byte {
	l := c.link
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.active {
		b = appendShare(b, rdp.ShareDeactivateAll, func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint32(b, l.shareID)
			return append(b, 1, 0, 0) // a source descriptor of one byte
		})
		l.shareID++
		l.active = false
	}
	c.size, c.confirmed = size, false
	demand := rdp.DemandActive{ShareID: l.shareID, Capabilities: capabilities(size, l.hello.Depth)}
	return appendShare(b, rdp.ShareDemandActive, demand.Append)
}

// activating takes a PDU within an activation and tells whether the client's part of it is done.
func (c *Conn) activating(frame []byte) (done bool, err error) {
	payload, err := rdp.DecodeX224Data(frame)
	if err != nil {
		return false, err
	}
	var p rdp.DomainPDU
	if err := p.Decode(payload); err != nil {
		return false, err
	}
	switch {
	case p.Kind == rdp.MCSDisconnectProviderUltimatum:
		return false, rdp.ErrDisconnected
	case p.Kind != rdp.MCSSendDataRequest:
		return false, wire.Errorf("rdpserver: domain PDU of kind %d", p.Kind)
	case p.Channel != ioChannel:
		return false, nil // channels are not spoken on yet
	}
	for b := p.Data; len(b) > 0; {
		pdu, rest, ok, err := rdp.DecodeShareControl(b)
		if err != nil || !ok {
			return false, err
		}
		b = rest
		switch pdu.Kind {
		case rdp.ShareConfirmActive:
			if err := c.confirm(pdu.Body); err != nil {
				return false, err
			}
		case rdp.ShareData:
			var d rdp.DataPDU
			if err := d.Decode(pdu.Body); err != nil {
				return false, err
			}
			if done = c.finalizing(d); done {
				return true, nil
			}
		default:
			return false, wire.Errorf("rdpserver: share PDU of kind %d", pdu.Kind)
		}
	}
	return false, nil
}

// confirm takes the client's capabilities.
func (c *Conn) confirm(body []byte) error {
	var p rdp.ConfirmActive
	if err := p.Decode(append([]byte(nil), body...)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.ShareID != c.link.shareID {
		return nil // of the share before this one
	}
	c.confirmed, c.caps = true, readCapabilities(p.Capabilities)
	return nil
}

// finalizing takes a share data PDU of the client's finalization ([MS-RDPBCGR] 1.3.1.1). The Font List is the last of it.
func (c *Conn) finalizing(d rdp.DataPDU) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.confirmed && d.ShareID == c.link.shareID && d.Kind == rdp.DataFontList
}

// appendFinalization appends the server's finalization, after which updates may be sent.
func (c *Conn) appendFinalization(b []byte) []byte {
	l := c.link
	c.mu.Lock()
	l.active = true
	c.mu.Unlock()
	b = l.appendData(b, rdp.DataSynchronize, func(b []byte) []byte { return rdp.AppendSynchronize(b, l.user) })
	b = l.appendData(b, rdp.DataControl, func(b []byte) []byte { return rdp.AppendControl(b, rdp.ControlCooperate, 0, 0) })
	b = l.appendData(b, rdp.DataControl, func(b []byte) []byte { return rdp.AppendControl(b, rdp.ControlGranted, l.user, serverUser) })
	return l.appendData(b, rdp.DataFontMap, rdp.AppendFontMap)
}
