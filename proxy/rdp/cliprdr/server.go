package cliprdr

import "time"

// Server is the server's side of the clipboard, for text. It differs from the Client in who begins: the server says what it can do
// and that it is ready, and the client lists its formats then. In Config and Direction the target is the client's machine.
type Server struct{ Client }

// NewServer returns a Server for a channel that the client has joined.
func NewServer(cfg Config) *Server { return &Server{Client{cfg: cfg}} }

// Begin sends the server's first messages ([MS-RDPECLIP] 1.3.2.1).
func (s *Server) Begin() {
	s.send(Capabilities{Version: Version2, Flags: CapUseLongFormatNames}.Append(s.buf[:0]))
	s.send(AppendMonitorReady(s.buf[:0]))
}

// Receive takes one message of the client. See Client.Receive.
func (s *Server) Receive(message []byte, now time.Time) error {
	h, _, err := DecodeHeader(message)
	if err != nil {
		return err
	}
	switch h.Type {
	case TypeMonitorReady: // a server's
		return nil
	case TypeFormatList:
		if first := !s.ready; first {
			s.ready = true
			defer func() {
				if s.offer != "" {
					s.announce()
				}
			}()
		}
	}
	return s.Client.Receive(message, now)
}
