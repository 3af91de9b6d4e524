package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/identity/oidc"
	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/identity/totp"
)

// Cookies of sign-ins that are not finished. They go to the sign-in's own addresses only.
const (
	pendingCookie = "vitrine_pending" // half a sign-in
	passkeyCookie = "vitrine_passkey" // a sign-in by passkey alone
	signInPath    = BasePath + "/sign-in"
)

// TwoSteps signs people in beyond a password.
type TwoSteps interface {
	Pending(ctx context.Context, token string) (identity.Pending, error)
	ForgetPending(ctx context.Context, token string) error
	FinishTOTP(ctx context.Context, step identity.Step, code string) (identity.SignIn, error)
	FinishRecovery(ctx context.Context, step identity.Step, code string) (identity.SignIn, error)
	BeginPasskeyStep(ctx context.Context, token string) (passkey.Options, error)
	FinishPasskeyStep(ctx context.Context, step identity.Step, answer []byte) (identity.SignIn, error)
	BeginPasskeySignIn(ctx context.Context) (passkey.Options, string, error)
	FinishPasskeySignIn(ctx context.Context, step identity.Step, answer []byte) (identity.SignIn, error)
	BeginEnrolTOTP(ctx context.Context, token string) (totp.Key, error)
	FinishEnrolTOTP(ctx context.Context, step identity.Step, code string) (identity.SignIn, []string, error)
	BeginEnrolPasskey(ctx context.Context, token string) (passkey.Options, error)
	FinishEnrolPasskey(ctx context.Context, step identity.Step, name string, answer []byte) (identity.SignIn, []string, error)
	SignInExternal(ctx context.Context, e identity.ExternalIdentity, source, userAgent, previous string) (identity.SignIn, error)
	MustHaveFactor(ctx context.Context, user string) (bool, error)
	BeginStepUp(ctx context.Context, user string) (passkey.Options, error)
	StepUp(ctx context.Context, token, user, source string, proof identity.Proof) (time.Time, error)
	ResetFactors(ctx context.Context, user string) (name string, err error)
}

// SignInProviders are the OpenID providers people may sign in at.
type SignInProviders interface {
	Choices() []oidc.Choice
	Begin(ctx context.Context, name, next string) (oidc.Departure, error)
	Finish(ctx context.Context, name, binding string, query url.Values) (identity.ExternalIdentity, string, error)
}

// step is what a second step needs of the request.
func (in *call) step(cookie string) identity.Step {
	return identity.Step{Token: in.cookie(cookie), Source: in.address, UserAgent: in.request.UserAgent(), Previous: in.token}
}

func (in *call) cookie(name string) string {
	c, err := in.request.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// stepCookie makes a cookie of an unfinished sign-in; an empty value removes it.
func (h *handlers) stepCookie(name, value string, lifetime time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: signInPath, MaxAge: int(lifetime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: h.secureCookies,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// GetSignIn tells what the sign-in page offers.
func (h *handlers) GetSignIn(ctx context.Context, _ apigen.GetSignInRequestObject) (apigen.GetSignInResponseObject, error) {
	ctx, in := enter(ctx)
	out := apigen.GetSignIn200JSONResponse{Passkeys: h.passkeysHere(in)}
	out.Providers = make([]struct {
		Label string `json:"label"`
		Name  string `json:"name"`
	}, 0)
	for _, c := range h.openid.Choices() {
		out.Providers = append(out.Providers, struct {
			Label string `json:"label"`
			Name  string `json:"name"`
		}{c.Label, c.Name})
	}
	p, err := h.steps.Pending(ctx, in.cookie(pendingCookie))
	switch {
	case err == nil:
		pending := h.pendingOut(in, p)
		out.Pending = &pending
	case !errors.Is(err, identity.ErrPendingOver):
		return nil, err
	case in.cookie(pendingCookie) != "":
		http.SetCookie(in.writer, h.stepCookie(pendingCookie, "", 0))
	}
	return out, nil
}

// passkeysHere tells whether the browser is at the address that passkeys are for.
func (h *handlers) passkeysHere(in *call) bool {
	return h.passkeyHost != "" && in.request.Host == h.passkeyHost
}

func (h *handlers) pendingOut(in *call, p identity.Pending) apigen.SignInPending {
	out := apigen.SignInPending{Username: p.Name, Enrol: p.Enrol, ExpiresAt: p.ExpiresAt, Methods: []apigen.SignInPendingMethods{}}
	for _, m := range p.Methods {
		if m != identity.FactorPasskey || h.passkeysHere(in) {
			out.Methods = append(out.Methods, apigen.SignInPendingMethods(m))
		}
	}
	return out
}

// signedInNow sets the cookie of a finished sign-in, takes away those of unfinished ones, and returns who signed in.
func (h *handlers) signedInNow(ctx context.Context, in *call, s identity.SignIn) (apigen.Me, error) {
	audit.By(ctx, actorOf(s.Subject))
	http.SetCookie(in.writer, h.cookie(s.Token, int(time.Until(s.ExpiresAt).Seconds())))
	for _, name := range []string{pendingCookie, passkeyCookie} {
		if in.cookie(name) != "" {
			http.SetCookie(in.writer, h.stepCookie(name, "", 0))
		}
	}
	return h.me(ctx, s.Subject)
}

// wait sets the cookie of a half sign-in.
func (h *handlers) wait(in *call, p identity.Pending) {
	http.SetCookie(in.writer, h.stepCookie(pendingCookie, p.Token, time.Until(p.ExpiresAt)))
}

// ForgetPendingSignIn gives up the half sign-in.
func (h *handlers) ForgetPendingSignIn(ctx context.Context, _ apigen.ForgetPendingSignInRequestObject) (apigen.ForgetPendingSignInResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.steps.ForgetPending(ctx, in.cookie(pendingCookie)); err != nil {
		return nil, err
	}
	http.SetCookie(in.writer, h.stepCookie(pendingCookie, "", 0))
	return apigen.ForgetPendingSignIn204Response{}, nil
}

// SignInTOTP finishes a sign-in by a one-time password.
func (h *handlers) SignInTOTP(ctx context.Context, r apigen.SignInTOTPRequestObject) (apigen.SignInTOTPResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.steps.FinishTOTP(ctx, in.step(pendingCookie), r.Body.Code)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "second_factor", identity.FactorTOTP)
	me, err := h.signedInNow(ctx, in, s)
	return apigen.SignInTOTP200JSONResponse(me), err
}

// SignInRecovery finishes a sign-in by a recovery code.
func (h *handlers) SignInRecovery(ctx context.Context, r apigen.SignInRecoveryRequestObject) (apigen.SignInRecoveryResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.steps.FinishRecovery(ctx, in.step(pendingCookie), r.Body.Code)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "second_factor", identity.FactorRecovery)
	me, err := h.signedInNow(ctx, in, s)
	return apigen.SignInRecovery200JSONResponse(me), err
}

// SignInPasskeyOptions begins to prove a passkey: as the second step where there is a first, else as the whole sign-in.
func (h *handlers) SignInPasskeyOptions(ctx context.Context, _ apigen.SignInPasskeyOptionsRequestObject) (apigen.SignInPasskeyOptionsResponseObject, error) {
	ctx, in := enter(ctx)
	options, err := h.steps.BeginPasskeyStep(ctx, in.cookie(pendingCookie))
	if errors.Is(err, identity.ErrPendingOver) {
		var token string
		if options, token, err = h.steps.BeginPasskeySignIn(ctx); err == nil {
			http.SetCookie(in.writer, h.stepCookie(passkeyCookie, token, identity.PendingLifetime))
		}
	}
	out, err := optionsOut(options, err)
	return apigen.SignInPasskeyOptions200JSONResponse(out), err
}

// SignInPasskey finishes what SignInPasskeyOptions began.
func (h *handlers) SignInPasskey(ctx context.Context, r apigen.SignInPasskeyRequestObject) (apigen.SignInPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	answer, err := json.Marshal(r.Body.Credential)
	if err != nil {
		return nil, err
	}
	var s identity.SignIn
	if in.cookie(passkeyCookie) != "" && in.cookie(pendingCookie) == "" {
		s, err = h.steps.FinishPasskeySignIn(ctx, in.step(passkeyCookie), answer)
	} else {
		s, err = h.steps.FinishPasskeyStep(ctx, in.step(pendingCookie), answer)
	}
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "second_factor", identity.FactorPasskey)
	me, err := h.signedInNow(ctx, in, s)
	return apigen.SignInPasskey200JSONResponse(me), err
}

// BeginEnrolTOTP makes a generator for somebody who has to enrol.
func (h *handlers) BeginEnrolTOTP(ctx context.Context, _ apigen.BeginEnrolTOTPRequestObject) (apigen.BeginEnrolTOTPResponseObject, error) {
	ctx, in := enter(ctx)
	key, err := h.steps.BeginEnrolTOTP(ctx, in.cookie(pendingCookie))
	return apigen.BeginEnrolTOTP200JSONResponse(keyOut(key)), err
}

// SignInEnrolTOTP enrols the generator and signs in.
func (h *handlers) SignInEnrolTOTP(ctx context.Context, r apigen.SignInEnrolTOTPRequestObject) (apigen.SignInEnrolTOTPResponseObject, error) {
	ctx, in := enter(ctx)
	s, codes, err := h.steps.FinishEnrolTOTP(ctx, in.step(pendingCookie), r.Body.Code)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "enrolled", identity.FactorTOTP)
	me, err := h.signedInNow(ctx, in, s)
	return apigen.SignInEnrolTOTP200JSONResponse{Me: me, RecoveryCodes: some(codes)}, err
}

// BeginEnrolPasskey makes options for a passkey of somebody who has to enrol.
func (h *handlers) BeginEnrolPasskey(ctx context.Context, _ apigen.BeginEnrolPasskeyRequestObject) (apigen.BeginEnrolPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	out, err := optionsOut(h.steps.BeginEnrolPasskey(ctx, in.cookie(pendingCookie)))
	return apigen.BeginEnrolPasskey200JSONResponse(out), err
}

// SignInEnrolPasskey enrols the passkey and signs in.
func (h *handlers) SignInEnrolPasskey(ctx context.Context, r apigen.SignInEnrolPasskeyRequestObject) (apigen.SignInEnrolPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	answer, err := json.Marshal(r.Body.Credential)
	if err != nil {
		return nil, err
	}
	s, codes, err := h.steps.FinishEnrolPasskey(ctx, in.step(pendingCookie), r.Body.Name, answer)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "enrolled", identity.FactorPasskey)
	me, err := h.signedInNow(ctx, in, s)
	return apigen.SignInEnrolPasskey200JSONResponse{Me: me, RecoveryCodes: some(codes)}, err
}

// SignInProvider sends the browser to a provider. Its cookie is Lax: the browser comes back from another site.
func (h *handlers) SignInProvider(ctx context.Context, r apigen.SignInProviderRequestObject) (apigen.SignInProviderResponseObject, error) {
	ctx, in := enter(ctx)
	d, err := h.openid.Begin(ctx, r.Provider, valueOr(r.Params.Next, "/"))
	if errors.Is(err, oidc.ErrUnreachable) { // a person, not a program: back to the page with a reason
		return apigen.SignInProvider302Response{Headers: apigen.SignInProvider302ResponseHeaders{Location: new(signInError(err))}}, nil
	}
	if err != nil {
		return nil, err
	}
	http.SetCookie(in.writer, h.flowCookie(d.Cookie, d.Binding))
	return apigen.SignInProvider302Response{Headers: apigen.SignInProvider302ResponseHeaders{Location: &d.URL}}, nil
}

func (h *handlers) flowCookie(name, value string) *http.Cookie {
	c := h.stepCookie(name, value, oidc.FlowLifetime)
	c.SameSite = http.SameSiteLaxMode
	return c
}

// SignInProviderCallback finishes a sign-in at a provider. The browser goes on to the console in any case, for a person
// is looking at it.
func (h *handlers) SignInProviderCallback(ctx context.Context, r apigen.SignInProviderCallbackRequestObject) (apigen.SignInProviderCallbackResponseObject, error) {
	gc := ctx.(*gin.Context)
	ctx, in := enter(ctx)
	query := in.request.URL.Query()
	name := oidc.CookieName(query.Get("state"))
	to, err := h.fromProvider(ctx, in, r.Provider, in.cookie(name), query)
	if err != nil {
		_ = gc.Error(err) // for the request's log line
		audit.As(ctx, audit.Failed)
		audit.Detail(ctx, "failure", errorOf(err).Code)
		to = signInError(err)
	}
	if in.cookie(name) != "" {
		http.SetCookie(in.writer, h.flowCookie(name, ""))
	}
	return apigen.SignInProviderCallback302Response{Headers: apigen.SignInProviderCallback302ResponseHeaders{Location: &to}}, nil
}

func (h *handlers) fromProvider(ctx context.Context, in *call, provider, binding string, query url.Values) (string, error) {
	who, next, err := h.openid.Finish(ctx, provider, binding, query)
	if err != nil {
		return "", err
	}
	s, err := h.steps.SignInExternal(ctx, who, in.address, in.request.UserAgent(), in.token)
	if err != nil {
		return "", err
	}
	if s.Pending != nil {
		h.wait(in, *s.Pending)
		return "/sign-in?next=" + url.QueryEscape(next), nil
	}
	audit.Detail(ctx, "method", who.Source)
	_, err = h.signedInNow(ctx, in, s)
	return next, err
}

// signInError is the address of the sign-in page that tells what went wrong.
func signInError(err error) string { return "/sign-in?error=" + url.QueryEscape(errorOf(err).Code) }

func optionsOut(o passkey.Options, err error) (apigen.PasskeyOptions, error) {
	if err != nil {
		return apigen.PasskeyOptions{}, err
	}
	var out apigen.PasskeyOptions
	return out, json.Unmarshal(o, &out.Options)
}

func keyOut(k totp.Key) apigen.TOTPKey { return apigen.TOTPKey{Secret: k.Seed, Url: k.URL, Qr: k.QR} }

// some is a list that is never null.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Factors are people's second factors.
type Factors interface {
	Of(ctx context.Context, user string) (factor.Factors, error)
	BeginTOTP(ctx context.Context, p factor.Person) (totp.Key, error)
	ConfirmTOTP(ctx context.Context, p factor.Person, code string) ([]string, error)
	RemoveTOTP(ctx context.Context, user string) error
	NewRecoveryCodes(ctx context.Context, user string) ([]string, error)
	BeginEnrolment(ctx context.Context, p factor.Person) (passkey.Options, error)
	FinishEnrolment(ctx context.Context, p factor.Person, name string, answer []byte) (passkeyRow, []string, error)
	RenamePasskey(ctx context.Context, user, id, name string) error
	RemovePasskey(ctx context.Context, user, id string) error
}
