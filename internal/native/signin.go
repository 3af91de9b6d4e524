package native

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/native/screen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// Ids of links.
const (
	linkCancel   = "cancel"
	linkCode     = "code"
	linkRecovery = "recovery"
	linkTOTP     = "totp"
	linkBack     = "back"
	linkAsk      = "ask"
)

var cancel = screen.Link{ID: linkCancel, Label: "Cancel"}

// typed lets somebody in who brought no ticket.
func (g *guest) typed(ctx context.Context) error {
	want := parseName(g.hello.Username)
	if err := g.setUp(ctx); err != nil {
		return err
	}
	s, by, err := g.signIn(ctx, want)
	if err != nil {
		return err
	}
	g.welcomed(ctx, s, by, "")
	for {
		desk, err := g.choose(ctx, s, &want)
		if err != nil {
			return err
		}
		session, err := g.persuade(ctx, s, desk)
		if errors.Is(err, errBack) {
			continue
		}
		if err != nil {
			return g.regret(ctx, err)
		}
		return g.hand(ctx, s, session, netip.Addr{})
	}
}

var errBack = errors.New("native: another desktop is wanted")

// busy shows that something is under way in a form that stays.
func (g *guest) busy(f screen.Form, what string) {
	f.Busy, f.Notice, f.Error = true, what, ""
	g.stage.Show(f)
}

// signIn signs somebody in on the screen.
func (g *guest) signIn(ctx context.Context, want wanted) (policy.Subject, string, error) {
	f := screen.Form{
		Title: "Sign in", Text: "to open a desktop.", Submit: "Sign in", Foot: g.foot(),
		Fields: []screen.Field{{Name: "user", Label: "User name", Value: want.user}, {Name: "password", Label: "Password", Secret: true}},
		Links:  []screen.Link{{ID: linkCode, Label: "Approve in the browser"}, cancel},
	}
	if want.target != "" {
		f.Text = "to open " + want.target + "."
	}
	name, password := want.user, string(g.hello.Password)
	given := password != "" && name != "" && g.hello.InfoFlags&rdp.InfoAutoLogon != 0
	g.hello.Password = ""
	for {
		if !given {
			g.stage.Show(f)
			a, err := g.next(ctx, g.d.SignInTimeout)
			if err != nil {
				return policy.Subject{}, "", err
			}
			switch a.ID {
			case linkCancel:
				return policy.Subject{}, "", errCancel
			case linkCode:
				s, err := g.byCode(ctx, want, a.Values["user"])
				if errors.Is(err, errBack) {
					continue
				}
				return s, "code", err
			}
			name, password = a.Values["user"], a.Values["password"]
		}
		given = false
		g.busy(f, "Checking…")
		s, err := g.check(ctx, name, password)
		if err == nil {
			return s, "password", nil
		}
		if f.Error = explainSignIn(err); f.Error == "" {
			return policy.Subject{}, "", err
		}
		g.d.refuse(ctx, refusal{cause: "sign_in_failed", source: g.source})
		f.Fields[0].Value = name
	}
}

// check checks a password, and the second factor if there is one.
func (g *guest) check(ctx context.Context, name, password string) (policy.Subject, error) {
	agent := "RDP client " + g.hello.ClientName
	in, err := g.d.Identity.SignIn(ctx, name, password, g.source.String(), agent, "")
	if err != nil {
		return policy.Subject{}, err
	}
	if in.Pending != nil {
		if in, err = g.second(ctx, *in.Pending, agent); err != nil {
			return policy.Subject{}, err
		}
	}
	// A sign-in of a browser is not what this is: who it is is all that counts.
	if err := g.d.Identity.SignOut(context.WithoutCancel(ctx), in.Token); err != nil {
		return policy.Subject{}, err
	}
	if in.MustChangePassword {
		return policy.Subject{}, errChangeFirst
	}
	return in.Subject, nil
}

var (
	errChangeFirst = errors.New("native: the password must be changed first")
	errEnrolFirst  = errors.New("native: a second factor must be enrolled first")
	errOnlyPasskey = errors.New("native: the second factor is a passkey")
)

// explainSignIn is what a person is told; empty for what ends the way.
func explainSignIn(err error) string {
	throttled, slow := errors.AsType[*identity.ThrottledError](err)
	switch {
	case slow:
		return fmt.Sprintf("Too many failed tries. Wait %v before the next.", throttled.RetryAfter.Round(time.Second))
	case errors.Is(err, identity.ErrBadCredentials):
		return "The name or the password is wrong."
	case errors.Is(err, identity.ErrSecondFactor):
		return "The code is wrong or was used before."
	case errors.Is(err, identity.ErrPendingOver):
		return "The sign-in took too long. Begin anew."
	case errors.Is(err, identity.ErrDirectory):
		return "The directory cannot be asked now. Try again later."
	case errors.Is(err, identity.ErrUserDisabled), errors.Is(err, identity.ErrNameTaken):
		return "You may not sign in here. Ask an administrator."
	case errors.Is(err, errChangeFirst):
		return "Your password has to be changed first. Sign in to the console in a browser."
	case errors.Is(err, errEnrolFirst):
		return "You need a second factor first. Sign in to the console in a browser."
	case errors.Is(err, errOnlyPasskey):
		return "Your second factor is a passkey, which works in a browser alone. Choose “Approve in the browser”."
	}
	return ""
}

// second asks for the second factor.
func (g *guest) second(ctx context.Context, p identity.Pending, agent string) (identity.SignIn, error) {
	defer func() { _ = g.d.Identity.ForgetPending(context.WithoutCancel(ctx), p.Token) }()
	totp, recovery := slices.Contains(p.Methods, identity.FactorTOTP), slices.Contains(p.Methods, identity.FactorRecovery)
	switch {
	case p.Enrol:
		return identity.SignIn{}, errEnrolFirst
	case !totp && !recovery:
		return identity.SignIn{}, errOnlyPasskey
	}
	step := identity.Step{Token: p.Token, Source: g.source.String(), UserAgent: agent}
	byRecovery := !totp
	failed := ""
	for {
		f := screen.Form{
			Title: "Your second factor", Text: "Type the code that your authenticator app shows.", Submit: "Go on", Error: failed, Foot: g.foot(),
			Fields: []screen.Field{{Name: "code", Label: "Code", Code: true, Once: true, Max: 6}},
		}
		if byRecovery {
			f.Text = "Type one of your recovery codes. Each works once."
			f.Fields = []screen.Field{{Name: "recovery", Label: "Recovery code", Code: true, Max: 40}}
			if totp {
				f.Links = append(f.Links, screen.Link{ID: linkTOTP, Label: "Use the app"})
			}
		} else if recovery {
			f.Links = append(f.Links, screen.Link{ID: linkRecovery, Label: "Use a recovery code"})
		}
		f.Links = append(f.Links, cancel)
		g.stage.Show(f)
		a, err := g.next(ctx, g.d.SignInTimeout)
		if err != nil {
			return identity.SignIn{}, err
		}
		var in identity.SignIn
		switch a.ID {
		case linkCancel:
			return identity.SignIn{}, errCancel
		case linkRecovery, linkTOTP:
			byRecovery, failed = a.ID == linkRecovery, ""
			continue
		}
		g.busy(f, "Checking…")
		if byRecovery {
			in, err = g.d.Identity.FinishRecovery(ctx, step, strings.TrimSpace(a.Values["recovery"]))
		} else {
			in, err = g.d.Identity.FinishTOTP(ctx, step, strings.TrimSpace(a.Values["code"]))
		}
		if err == nil {
			return in, nil
		}
		_, slow := errors.AsType[*identity.ThrottledError](err)
		if !slow && !errors.Is(err, identity.ErrSecondFactor) {
			return identity.SignIn{}, err
		}
		g.d.refuse(ctx, refusal{cause: "second_factor", source: g.source, name: p.Name})
		failed = explainSignIn(err)
	}
}

// byCode waits for somebody to approve the sign-in in the console.
func (g *guest) byCode(ctx context.Context, want wanted, user string) (policy.Subject, error) {
	w, ok := g.d.codes.begin(Waiting{Client: g.hello.ClientName, Source: g.source, Target: want.target, User: user})
	f := screen.Form{
		Title: "Approve in the browser", Foot: g.foot(), Links: []screen.Link{{ID: linkBack, Label: "Back"}, cancel},
		Text: "Sign in to the console, choose “Approve a sign-in” in the menu of your account, and type this code. Never type a code that somebody else gave you.",
	}
	if !ok {
		f.Error, f.Text = "Too many sign-ins wait. Try again in a few minutes.", ""
		g.stage.Show(f)
		_, err := g.next(ctx, g.d.SignInTimeout)
		return policy.Subject{}, errors.Join(errBack, err)
	}
	defer g.d.codes.end(w)
	f.Code, f.Notice, f.Busy = w.shown(), "Waiting for you to approve…", true
	g.stage.Show(f)
	over := time.NewTimer(codeLifetime)
	defer over.Stop()
	for {
		select {
		case s := <-w.answer:
			if s.ID == "" {
				return policy.Subject{}, errRefused
			}
			return s, nil
		case a := <-g.stage.Acts():
			switch a.ID {
			case linkCancel:
				return policy.Subject{}, errCancel
			case linkBack:
				return policy.Subject{}, errBack
			}
		case <-over.C:
			return policy.Subject{}, errIdle
		case <-g.stage.gone:
			return policy.Subject{}, errGone
		case <-ctx.Done():
			return policy.Subject{}, context.Cause(ctx)
		}
	}
}

// choose finds the desktop that the user name names, or lets the person choose. The name counts once.
func (g *guest) choose(ctx context.Context, s policy.Subject, want *wanted) (Desk, error) {
	for {
		g.stage.Show(screen.Form{Title: "Your desktops", Notice: "Looking…", Busy: true, Foot: g.foot(), Links: []screen.Link{cancel}})
		all, err := g.d.Desks.List(ctx, s, g.source)
		if err != nil {
			return Desk{}, err
		}
		named := *want
		*want = wanted{}
		var fits []Desk
		for _, d := range all {
			if named.fits(d) {
				fits = append(fits, d)
			}
		}
		if len(fits) == 1 {
			return fits[0], nil
		}
		f := screen.Form{Title: "Which desktop?", Submit: "Open", Foot: g.foot(), Links: []screen.Link{cancel}}
		switch {
		case len(all) == 0:
			f.Title, f.Error, f.Submit = "There is no desktop for you", "You may open none. Ask an administrator.", ""
		case len(fits) == 0:
			f.Error = fmt.Sprintf("You have no desktop %q.", named.target)
			fits = all
		}
		for i, d := range fits {
			c := screen.Choice{ID: fmt.Sprint(i), Title: d.TargetName, Detail: d.Address}
			if d.AccountName != "" {
				c.Detail = d.Address + " · as " + d.AccountName
			}
			if d.Ask {
				c.Detail += " · needs approval"
			}
			f.Choices = append(f.Choices, c)
		}
		g.stage.Show(f)
		a, err := g.next(ctx, g.d.SignInTimeout)
		if err != nil {
			return Desk{}, err
		}
		if a.ID == linkCancel {
			return Desk{}, errCancel
		}
		for i := range fits {
			if a.Choice == fmt.Sprint(i) {
				return fits[i], nil
			}
		}
	}
}

// fits tells whether a desktop is one that a user name names: by id or name, whatever its case.
func (w wanted) fits(d Desk) bool {
	same := func(want string, names ...string) bool {
		return want == "" || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(want, n) })
	}
	return same(w.target, d.TargetID, d.TargetName) && same(w.account, d.AccountID, d.AccountName)
}

// persuade opens a desktop, and asks for what policies want first.
func (g *guest) persuade(ctx context.Context, s policy.Subject, d Desk) (Session, error) {
	v := g.visit(s)
	v.TargetID, v.Account = d.TargetID, d.AccountID
	for {
		session, err := g.open(ctx, v, d.TargetName)
		need, ok := errors.AsType[*access.NeededError](err)
		if !ok {
			return session, err
		}
		f := screen.Form{Title: d.TargetName, Submit: "Open", Links: []screen.Link{{ID: linkBack, Label: "Another desktop"}, cancel}, Foot: g.foot()}
		switch need.Code {
		case access.NeedReason:
			f.Fields = []screen.Field{{Name: "reason", Label: "Reason", Hint: "Why you need this desktop. It is written down with the session."}}
		case access.NeedTicket:
			f.Fields = []screen.Field{{Name: "change", Label: "Ticket", Value: v.Change, Hint: need.Detail()}}
			if v.Change != "" {
				f.Error = "No ticket looks like this."
			}
		case access.NeedApproval:
			if err := g.approval(ctx, &v, d, need); err != nil {
				return Session{}, err
			}
			continue
		default: // a second factor that is too old: this sign-in has just proved what it can
			return Session{}, err
		}
		g.stage.Show(f)
		a, err := g.next(ctx, g.d.SignInTimeout)
		if err != nil {
			return Session{}, err
		}
		switch a.ID {
		case linkCancel:
			return Session{}, errCancel
		case linkBack:
			return Session{}, errBack
		}
		if reason, ok := a.Values["reason"]; ok {
			v.Reason = reason
		}
		if change, ok := a.Values["change"]; ok {
			v.Change = change
		}
	}
}

// approval asks for access and waits until somebody has decided.
func (g *guest) approval(ctx context.Context, v *Visit, d Desk, need *access.NeededError) error {
	f := screen.Form{
		Title: d.TargetName, Text: need.Detail(), Submit: "Ask for access", Foot: g.foot(), Links: []screen.Link{{ID: linkBack, Label: "Another desktop"}, cancel},
		Fields: []screen.Field{
			{Name: "reason", Label: "Reason", Value: v.Reason, Hint: "Those who decide see it."},
			{Name: "change", Label: "Ticket", Value: v.Change, Hint: "Of the change or incident, if there is one."},
		},
	}
	id := ""
	for id == "" {
		g.stage.Show(f)
		a, err := g.next(ctx, g.d.SignInTimeout)
		if err != nil {
			return err
		}
		switch a.ID {
		case linkCancel:
			return errCancel
		case linkBack:
			return errBack
		}
		v.Reason, v.Change = a.Values["reason"], a.Values["change"]
		f.Fields[0].Value, f.Fields[1].Value = v.Reason, v.Change
		if id, err = g.d.Desks.Ask(ctx, *v); err != nil {
			f.Error = g.d.Desks.Explain(err)
		}
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	began := time.Now()
	for {
		state, over, err := g.d.Desks.Asked(ctx, id)
		if err != nil {
			return err
		}
		if over && state == "" {
			return nil // approved
		}
		if over {
			f.Fields, f.Text, f.Submit, f.Error = nil, "", "", state
			g.stage.Show(f)
			a, err := g.next(ctx, readingTime)
			if err == nil && a.ID == linkBack {
				return errBack
			}
			return errors.Join(errCancel, err)
		}
		g.stage.Show(screen.Form{
			Title: d.TargetName, Text: "Your request is with those who decide. This window may stay open.", Busy: true, Foot: g.foot(),
			Notice: fmt.Sprintf("%s Waiting for %v.", state, time.Since(began).Round(time.Second)), Links: []screen.Link{{ID: linkBack, Label: "Another desktop"}, cancel},
		})
		select {
		case <-tick.C:
		case a := <-g.stage.Acts():
			if a.ID == linkBack {
				return errBack
			}
			if a.ID == linkCancel {
				return errCancel
			}
		case <-g.stage.gone:
			return errGone
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
