// Package openid is a real OpenID provider for tests: that of zitadel/oidc with its example's storage and login form,
// and people of our own who are in groups.
package openid

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The client of every provider here, and the password of its people.
const (
	ClientID     = "vitrine"
	ClientSecret = "client secret of the tests"
	Password     = "verysecure"
)

// Person is somebody who can sign in, by name and Password.
type Person struct {
	ID, Name, First, Last, Email string
	Verified                     bool // the address
	Groups                       []string
}

// People returns some.
func People() []Person {
	return []Person{
		{ID: "id-carol", Name: "carol", First: "Carol", Last: "Jones", Email: "carol@example.org", Verified: true, Groups: []string{"operators", "everyone"}},
		{ID: "id-dave", Name: "dave", First: "Dave", Last: "Smith", Email: "dave@example.org", Groups: []string{"everyone"}},
	}
}

// Handler returns a provider of that issuer with fresh keys. It sends people back to redirects and nowhere else.
func Handler(issuer string, people []Person, redirects ...string) http.Handler {
	p := &provider{people: people}
	p.Storage = storage.NewStorageWithClients(p, map[string]*storage.Client{
		ClientID: storage.WebClient(ClientID, ClientSecret, redirects...),
	})
	return exampleop.SetupServer(issuer, p, slog.New(slog.DiscardHandler), false)
}

// provider is the example's storage with our people.
type provider struct {
	*storage.Storage
	people []Person
}

func (p *provider) ExampleClientID() string { return storage.ServiceUserID }

func (p *provider) GetUserByID(id string) *storage.User {
	return p.user(func(x Person) bool { return x.ID == id })
}

func (p *provider) GetUserByUsername(name string) *storage.User {
	return p.user(func(x Person) bool { return x.Name == name })
}

func (p *provider) user(is func(Person) bool) *storage.User {
	for _, x := range p.people {
		if is(x) {
			return &storage.User{ID: x.ID, Username: x.Name, Password: Password, FirstName: x.First, LastName: x.Last, Email: x.Email, EmailVerified: x.Verified}
		}
	}
	return nil
}

// SetUserinfoFromToken adds groups to what userinfo says.
func (p *provider) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := p.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	for _, x := range p.people {
		if x.ID == subject {
			info.AppendClaims("groups", x.Groups)
		}
	}
	return nil
}

var _ op.Storage = (*provider)(nil)
