package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/native"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/ticket"
	"github.com/vitrine-psm/vitrine/internal/ticket/rdpfile"
)

// Native is the door for native clients, as the console sees it.
type Native interface {
	Info() NativeInfo
	// Issue makes a ticket. The error may be a *ticket.TooManyError.
	Issue(ctx context.Context, form ticket.Form, b ticket.Bound) (ticket.Ticket, error)
	// File writes a signed .rdp file.
	File(s rdpfile.Settings) ([]byte, error)
	// Waiting tells who waits for a code to be approved. The error is native.ErrCode when nobody does.
	Waiting(code string) (native.Waiting, error)
	// Decide lets them in as s, or sends them away.
	Decide(code string, s policy.Subject, approve bool) (native.Waiting, error)
}

// NativeInfo is where native clients are let in. An address without a host is at the host of the console.
type NativeInfo struct {
	Address    string // host:port; empty: not
	NLAAddress string // host:port; empty: not
	// CertificateSHA256 is of the certificate clients are shown, hex.
	CertificateSHA256 string
}

// nativeInfo is what the caller is told of the door.
func (h *handlers) nativeInfo(in *call) NativeInfo {
	if h.native == nil {
		return NativeInfo{}
	}
	info := h.native.Info()
	for _, address := range []*string{&info.Address, &info.NLAAddress} {
		if host, port, err := net.SplitHostPort(*address); err == nil && host == "" {
			*address = net.JoinHostPort(consoleHost(in.request), port)
		}
	}
	return info
}

// consoleHost is the host the caller knows the console by.
func consoleHost(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return strings.Trim(r.Host, "[]")
}

// GetNativeClient tells where native clients are let in.
func (h *handlers) GetNativeClient(ctx context.Context, _ apigen.GetNativeClientRequestObject) (apigen.GetNativeClientResponseObject, error) {
	_, in := enter(ctx)
	info := h.nativeInfo(in)
	return apigen.GetNativeClient200JSONResponse{
		Enabled: info.Address != "" || info.NLAAddress != "", Address: optional(info.Address), NlaAddress: optional(info.NLAAddress),
		CertificateSha256: optional(info.CertificateSHA256), ClientAddress: in.address,
	}, nil
}

// CreateNativeTicket lets a native client of the caller's in, once.
func (h *handlers) CreateNativeTicket(ctx context.Context, r apigen.CreateNativeTicketRequestObject) (apigen.CreateNativeTicketResponseObject, error) {
	ctx, in := enter(ctx)
	b := r.Body
	form := ticket.Form(valueOr(b.Form, apigen.CreateNativeTicketFormShell))
	info := h.nativeInfo(in)
	address := info.Address
	if form == ticket.NLA {
		address = info.NLAAddress
	}
	d, err := h.admit(ctx, in, wish{b.TargetId, valueOr(b.Account, ""), valueOr(b.Ticket, ""), valueOr(b.Reason, "")})
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, &Error{Status: http.StatusConflict, Code: "native_clients_off", Detail: "This gateway does not let native clients in this way."}
	}
	bound := ticket.Bound{
		UserID: in.subject.ID, UserName: in.subject.Name, TargetID: d.target.ID, AccountID: d.account.ID,
		Reason: d.admission.Facts.Reason, Change: d.admission.Facts.Ticket, MFAAt: in.subject.MFAAt,
	}
	if g := d.admission.Grant; g != nil {
		bound.GrantID = g.ID
	}
	if valueOr(b.BindAddress, false) {
		bound.Source = in.query(policy.Connect, policy.Resource{}).Circumstances.Source
	}
	audit.Detail(ctx, "form", string(form))
	audit.Detail(ctx, "account", d.account.Name)
	t, err := h.native.Issue(ctx, form, bound)
	if err != nil {
		return nil, err
	}
	out := apigen.CreateNativeTicket201JSONResponse{
		Form: apigen.NativeTicketForm(form), Address: address, Username: in.subject.Name, ExpiresAt: t.ExpiresAt.UTC(), FileName: fileName(d.target.Name),
	}
	settings := rdpfile.Settings{
		Address: address, Username: out.Username, Width: valueOr(b.Width, 0), Height: valueOr(b.Height, 0),
		Clipboard: d.admission.Clipboard.ToTarget || d.admission.Clipboard.FromTarget,
	}
	size := "/f"
	if settings.Width > 0 && settings.Height > 0 {
		size = fmt.Sprintf("/size:%dx%d", settings.Width, settings.Height)
	}
	if form == ticket.NLA {
		out.Username, out.Password = t.ID, new(string(t.Secret))
		settings.Username, settings.NLA = t.ID, true
		out.Command = fmt.Sprintf("xfreerdp /v:%s /u:%s /sec:nla /dynamic-resolution %s", address, t.ID, size) // it asks for the password
	} else {
		settings.Shell = string(t.Secret)
		out.Command = fmt.Sprintf("xfreerdp /v:%s /u:%s /shell:%s /sec:tls /dynamic-resolution %s", address, quoted(out.Username), string(t.Secret), size)
	}
	if out.File, err = h.native.File(settings); err != nil {
		return nil, err
	}
	return out, nil
}

// notInName are the characters that a file's name has better not.
var notInName = regexp.MustCompile(`[^\pL\pN._ -]+`)

// fileName is that of the .rdp file for a target.
func fileName(target string) string {
	name := strings.Trim(notInName.ReplaceAllString(target, "-"), " .-")
	if name == "" {
		name = "desktop"
	}
	if r := []rune(name); len(r) > 60 {
		name = string(r[:60])
	}
	return name + ".rdp"
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9._@%+=:,/-]+$`)

// quoted is s as one word of a POSIX shell.
func quoted(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// LookAtNativeSignIn tells where a sign-in waits, so that nobody approves somebody else's by mistake.
func (h *handlers) LookAtNativeSignIn(_ context.Context, r apigen.LookAtNativeSignInRequestObject) (apigen.LookAtNativeSignInResponseObject, error) {
	if h.native == nil {
		return nil, native.ErrCode
	}
	w, err := h.native.Waiting(r.Body.Code)
	if err != nil {
		return nil, err
	}
	return apigen.LookAtNativeSignIn200JSONResponse{
		Client: optional(w.Client), ClientAddress: w.Source.String(), User: optional(w.User), Target: optional(w.Target), ExpiresAt: w.ExpiresAt.UTC(),
	}, nil
}

// DecideNativeSignIn lets a native client in as the caller, or sends it away.
func (h *handlers) DecideNativeSignIn(ctx context.Context, r apigen.DecideNativeSignInRequestObject) (apigen.DecideNativeSignInResponseObject, error) {
	ctx, in := enter(ctx)
	if h.native == nil {
		return nil, native.ErrCode
	}
	w, err := h.native.Decide(r.Body.Code, in.subject, r.Body.Approve)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "client", w.Client)
	audit.Detail(ctx, "client_address", w.Source.String())
	audit.Detail(ctx, "approved", fmt.Sprint(r.Body.Approve))
	return apigen.DecideNativeSignIn204Response{}, nil
}
