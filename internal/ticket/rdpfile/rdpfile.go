// Package rdpfile writes signed .rdp files, by which native clients know where to connect and what not to bring along.
//
// A file is text in UTF-16LE with a byte order mark, a setting a line: name, type (i or s) and value. It is signed as
// Microsoft's rdpsign.exe does it, whose format is not published; what is known of it is this:
//
//	signscope:s:Full Address,Alternate Full Address,…   the settings that are signed, in this order
//	signature:s:BASE64                                  12 bytes (00010001, 00000001 and the length, as DWORDs in little
//	                                                    endian), then a detached CMS SignedData in DER
//
// What is signed is the UTF-16LE of the settings named, as lines in the order of signscope, then the line of signscope itself and
// a NUL. SignedData has no signed attributes: Windows hashes the text and nothing else.
package rdpfile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/smallstep/pkcs7"
)

// Signer is whom a file is from.
type Signer struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // without Certificate; may be empty
	Key         crypto.Signer
}

// Settings are what a file says. All that could bring a device, a drive or a file along is off.
type Settings struct {
	Address  string // host:port
	Username string
	Shell    string // the alternate shell: the ticket; empty: none
	NLA      bool   // network level authentication
	// Width and Height are of the desktop, in pixels; 0: the whole screen.
	Width, Height int
	Clipboard     bool // text may be copied, one way or the other
}

// ErrText says that a value has a line break, or another character that no setting may have.
var ErrText = errors.New("rdpfile: a setting with a control character")

// setting is a line. Those with a scope are signed under that name; names without one are not among those that Windows signs.
type setting struct{ name, scope, value string }

func (s Settings) lines() []setting {
	flag := func(on bool) string {
		if on {
			return "1"
		}
		return "0"
	}
	list := []setting{
		{"full address:s", "Full Address", s.Address},
		{"alternate full address:s", "Alternate Full Address", s.Address}, // else another one could be added without breaking the signature
		{"username:s", "", s.Username},
		{"negotiate security layer:i", "Negotiate Security Layer", "1"},
		{"enablecredsspsupport:i", "EnableCredSspSupport", flag(s.NLA)},
		{"autoreconnection enabled:i", "AutoReconnection Enabled", "1"},
		{"gatewayhostname:s", "GatewayHostname", ""},
		{"gatewayusagemethod:i", "GatewayUsageMethod", "0"},
		{"gatewayprofileusagemethod:i", "GatewayProfileUsageMethod", "1"},
		{"promptcredentialonce:i", "PromptCredentialOnce", "1"},
	}
	if s.Shell != "" {
		list = append(list, setting{"alternate shell:s", "Alternate Shell", s.Shell}, setting{"shell working directory:s", "Shell Working Directory", ""})
	}
	list = append(list,
		setting{"remoteapplicationmode:i", "RemoteApplicationMode", "0"},
		setting{"prompt for credentials:i", "Prompt For Credentials", flag(s.NLA)},
		setting{"authentication level:i", "Authentication Level", "2"}, // warn when the certificate is not known
		setting{"audiomode:i", "AudioMode", "2"},
		setting{"redirectdrives:i", "RedirectDrives", "0"},
		setting{"redirectprinters:i", "RedirectPrinters", "0"},
		setting{"redirectcomports:i", "RedirectCOMPorts", "0"},
		setting{"redirectsmartcards:i", "RedirectSmartCards", "0"},
		setting{"redirectposdevices:i", "RedirectPOSDevices", "0"},
		setting{"redirectclipboard:i", "RedirectClipboard", flag(s.Clipboard)},
		setting{"devicestoredirect:s", "DevicesToRedirect", ""},
		setting{"drivestoredirect:s", "DrivesToRedirect", ""},
		setting{"redirectdirectx:i", "RedirectDirectX", "0"},
		setting{"usbdevicestoredirect:s", "", ""},
		setting{"camerastoredirect:s", "", ""},
		setting{"redirectlocation:i", "", "0"},
		setting{"redirectwebauthn:i", "", "0"},
		setting{"audiocapturemode:i", "", "0"},
		setting{"session bpp:i", "", "32"},
		setting{"dynamic resolution:i", "", "1"},
		setting{"use multimon:i", "", "0"},
	)
	if s.Width > 0 && s.Height > 0 {
		return append(list,
			setting{"screen mode id:i", "", "1"},
			setting{"desktopwidth:i", "", fmt.Sprint(s.Width)}, setting{"desktopheight:i", "", fmt.Sprint(s.Height)})
	}
	return append(list, setting{"screen mode id:i", "", "2"})
}

// Sign writes a file. The certificate's key must be RSA's or one of an elliptic curve.
func Sign(s Settings, by Signer) ([]byte, error) {
	lines := s.lines()
	var file, signed, scope strings.Builder
	for _, l := range lines {
		if strings.ContainsFunc(l.value, unicode.IsControl) {
			return nil, fmt.Errorf("%w: %s", ErrText, l.name)
		}
		line := l.name + ":" + l.value + "\r\n"
		file.WriteString(line)
		if l.scope == "" {
			continue
		}
		signed.WriteString(line)
		if scope.Len() > 0 {
			scope.WriteByte(',')
		}
		scope.WriteString(l.scope)
	}
	scopeLine := "signscope:s:" + scope.String() + "\r\n"
	signature, err := sign(encode(signed.String()+scopeLine+"\x00"), by)
	if err != nil {
		return nil, err
	}
	file.WriteString(scopeLine)
	file.WriteString("signature:s:" + base64.StdEncoding.EncodeToString(signature) + "\r\n")
	return append([]byte{0xff, 0xfe}, encode(file.String())...), nil
}

// sign returns the detached signature with rdpsign's header.
func sign(text []byte, by Signer) ([]byte, error) {
	data, err := pkcs7.NewSignedData(text)
	if err != nil {
		return nil, fmt.Errorf("rdpfile: %w", err)
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := data.SignWithoutAttr(by.Certificate, by.Key, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, fmt.Errorf("rdpfile: sign: %w", err)
	}
	for _, c := range by.Chain {
		data.AddCertificate(c)
	}
	data.Detach()
	der, err := data.Finish()
	if err != nil {
		return nil, fmt.Errorf("rdpfile: sign: %w", err)
	}
	var b bytes.Buffer
	for _, v := range []uint32{0x00010001, 1, uint32(len(der))} {
		b.Write(binary.LittleEndian.AppendUint32(nil, v))
	}
	b.Write(der)
	return b.Bytes(), nil
}

// encode is UTF-16LE.
func encode(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
