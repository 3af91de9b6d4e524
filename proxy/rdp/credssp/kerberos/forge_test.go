package kerberos

import "github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"

// What only a KDC and a refusing acceptor make.

func (p ticketPart) der() []byte {
	return der.Element(der.Application(3), der.Element(der.Sequence,
		der.Wrap(der.Context(0), der.BitString, []byte{0, 0, 0, 0, 0}),
		der.Element(der.Context(1), p.key.der()),
		der.Wrap(der.Context(2), der.GeneralString, []byte(p.realm)),
		der.Element(der.Context(3), p.client.der()),
		der.Wrap(der.Context(4), der.Sequence),
		der.Element(der.Context(5), timeDER(p.end)),
		der.Element(der.Context(7), timeDER(p.end))))
}

func ticketDER(e encryptedData) []byte {
	return der.Element(der.Application(1), der.Element(der.Sequence,
		der.Int(der.Context(0), version5),
		der.Wrap(der.Context(1), der.GeneralString, []byte("REALM")),
		der.Element(der.Context(2), principal{2, []string{"TERMSRV", "localhost"}}.der()),
		der.Element(der.Context(3), e.der())))
}

func errorDER(code int64) []byte {
	return der.Element(der.Application(messageError), der.Element(der.Sequence,
		header(messageError), der.Element(der.Context(4), timeDER(then())), der.Int(der.Context(5), 0),
		der.Int(der.Context(6), code), der.Wrap(der.Context(9), der.GeneralString, []byte("REALM"))))
}
