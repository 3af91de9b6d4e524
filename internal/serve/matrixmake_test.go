package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

// openOperations need no sign-in.
var openOperations = []string{
	"beginEnrolPasskey", "beginEnrolTOTP", "forgetPendingSignIn", "getSetup", "getSignIn", "setUp", "signIn", "signInEnrolPasskey", "signInEnrolTOTP",
	"signInPasskey", "signInPasskeyOptions", "signInProvider", "signInProviderCallback", "signInRecovery", "signInTOTP",
}

type fields = map[string]any

// make makes what r is about: its parameters by name, and its "body". What is not for the caller alone belongs to others.
func (m *matrix) make(t *testing.T, r route, client *http.Client) fields {
	t.Helper()
	out := fields{}
	for _, p := range r.params {
		if !p.Value.Required {
			continue
		}
		switch p.Value.Name {
		case "session":
			out["session"] = m.session(t, r)
		case "viewer":
			out["viewer"] = "v"
		case "q":
			out["q"] = "needle"
		case "note": // one's own, for whoever may write one
			out["note"] = m.note(t, out["session"], client)
		case "file":
			out["file"] = "session.json"
		case "target":
			out["target"], out["revision"] = m.target(t, r), 1
		case "account":
			out["account"] = m.must(t, m.owner, "POST", fmt.Sprintf("/targets/%v/accounts", out["target"]),
				fields{"settings": fields{"name": m.unique("account")}})["id"]
		case "policy":
			made := m.must(t, m.owner, "POST", "/policies", fields{"id": m.unique("policy"), "name": "Some", "text": somePolicy})
			out["policy"], out["revision"] = made["id"], made["revision"]
		case "rule":
			made := m.must(t, m.owner, "POST", "/detection/rules", someRule(m.unique("rule")))
			out["rule"], out["revision"] = made["rule"].(fields)["id"], made["revision"]
		case "list":
			out["list"] = m.unique("list")
			if r.method == http.MethodDelete {
				out["revision"] = m.must(t, m.owner, "PUT", fmt.Sprintf("/detection/lists/%v", out["list"]), fields{"revision": 0, "words": []string{"zap"}})["revision"]
			}
		case "alert":
			out["alert"] = m.alert(t)
		case "index":
			out["index"] = 0
		case "user":
			out["user"] = m.must(t, m.owner, "POST", "/users", fields{"username": m.unique("person"), "password": matrixPassword})["user"].(fields)["id"]
		case "group":
			out["group"] = m.must(t, m.owner, "POST", "/groups", fields{"name": m.unique("group")})["id"]
		case "token":
			out["user"], out["token"] = m.token(t, r, client)
		case "sign_in":
			out["user"], out["sign_in"] = m.signedIn(t, r, client)
		case "access_request":
			out["access_request"] = m.accessRequest(t, r, client)
		case "export":
			out["export"] = m.export(t, fmt.Sprint(out["session"]))
		case "access_grant":
			out["access_grant"] = m.grant(t)
		}
	}
	switch r.id {
	case "beginMyTOTP", "confirmMyTOTP", "deleteMyTOTP", "beginMyPasskey", "addMyPasskey", "renameMyPasskey", "deleteMyPasskey", "newRecoveryCodes",
		"stepUp", "stepUpOptions":
		m.factors(t, r, client, out)
	case "createExport":
		out["body"] = fields{"kind": "package", "reason": "asked to"}
	case "downloadExport":
		out["ticket"] = "none"
		status, answer := m.send(t, client, "POST", fmt.Sprintf("/recordings/%v/exports/%v/link", out["session"], out["export"]), "", "")
		if status == http.StatusOK {
			_, ticket, _ := strings.Cut(answer, "ticket=")
			out["ticket"], _, _ = strings.Cut(ticket, "\"")
		}
	case "holdRecording":
		out["body"] = fields{"reason": "a case"}
	case "releaseRecording":
		m.must(t, m.owner, "PUT", fmt.Sprintf("/recordings/%v/hold", out["session"]), fields{"reason": "a case"})
		out["body"] = fields{"reason": "the case is closed"}
	case "shredRecording":
		out["body"] = fields{"reason": "asked to", "confirm": out["session"]}
	case "createSession":
		out["body"] = fields{"target_id": "desk"}
	case "lookAtNativeSignIn":
		out["body"] = fields{"code": "BCDF-2479"}
	case "decideNativeSignIn":
		out["body"] = fields{"code": "BCDF-2479", "approve": true}
	case "createNativeTicket":
		out["body"] = fields{"target_id": "desk"}
	case "offerViewer", "trickleViewer":
		out["body"] = "v=0"
	case "updateMe":
		out["body"] = fields{"display_name": "Me"}
	case "changeMyPassword":
		out["body"] = fields{"current_password": matrixPassword + m.names[client], "new_password": "another passphrase"}
	case "createToken":
		out["body"] = fields{"name": m.unique("token"), "scopes": []string{"connect"}, "expires_at": inAnHour()}
	case "createTarget":
		out["body"] = fields{"id": m.unique("target"), "settings": someTarget}
	case "importTargets":
		out["body"] = fields{"dry_run": true, "yaml": "kind: Target\nid: imported\nprotocol: vnc\naddress: imported.test:5900\n"}
	case "updateTarget":
		out["body"] = fields{"revision": 1, "settings": someTarget}
	case "createAccount":
		out["body"] = fields{"settings": fields{"name": m.unique("account")}}
	case "updateAccount":
		out["body"] = fields{"revision": 1, "settings": fields{"name": m.unique("account")}}
	case "setCredential":
		out["body"] = fields{"revision": 1, "credential": fields{"kind": "none"}}
	case "createPolicy":
		out["body"] = fields{"id": m.unique("policy"), "name": "Some", "text": somePolicy}
	case "updatePolicy":
		out["body"] = fields{"revision": out["revision"], "name": "Other"}
	case "checkPolicy":
		out["body"] = fields{"text": somePolicy}
	case "explainPolicy":
		out["body"] = fields{"user": "admin", "action": "connect", "target": "desk"}
	case "createDetectionRule":
		out["body"] = someRule(m.unique("rule"))
	case "updateDetectionRule":
		out["body"] = fields{"revision": out["revision"], "rule": someRule(fmt.Sprint(out["rule"]))}
	case "setDetectionList":
		out["body"] = fields{"revision": 0, "words": []string{"zap"}}
	case "checkDetectionRule":
		out["body"] = fields{"rule": someRule("some"), "sample": "zap"}
	case "dryRunDetection":
		out["body"] = fields{"rule": someRule("some")}
	case "acknowledgeAlerts":
		out["body"] = fields{"alerts": []any{m.alert(t)}}
	case "setRecordingReview":
		out["body"] = fields{"state": "flagged"}
	case "createRecordingNote":
		out["body"] = fields{"t_ms": 1000, "text": "look here"}
	case "updateRecordingNote":
		out["body"] = fields{"text": "look there"}
	case "createUser":
		out["body"] = fields{"username": m.unique("new")}
	case "updateUser":
		out["body"] = fields{"display_name": "Changed"}
	case "createGroup":
		out["body"] = fields{"name": m.unique("team")}
	case "updateGroup":
		out["body"] = fields{"description": "changed"}
	case "forgetCertificate":
		_, err := m.g.opened.db.Certificates.Trust(t.Context(), store.TargetCertificate{TargetID: "desk", Fingerprint: "ab", FirstSeen: time.Now(), SessionID: "s"})
		require.NoError(t, err)
	case "removeMember":
		m.must(t, m.owner, "PUT", fmt.Sprintf("/groups/%v/members/%v", out["group"], out["user"]), nil)
	case "getAccessRules":
		out["target_id"] = "desk"
	case "createAccessRequest":
		out["body"] = fields{"target_id": "desk", "reason": "the disk is full", "duration_s": 3600}
	case "breakGlass":
		out["body"] = fields{"target_id": "desk", "reason": "the disk is full"}
	case "approveAccessRequest", "cancelAccessRequest":
		out["body"] = fields{"revision": 1}
	case "denyAccessRequest", "reviewAccessRequest":
		out["body"] = fields{"revision": 1, "note": "not today"}
	case "endAccessGrant":
		out["body"] = fields{}
	case "freezeSession":
		out["body"] = fields{"reason": "to look into it"}
	case "answerQuestion":
		out["body"] = fields{"question": "q", "refuse": true}
	case "sendMessage":
		out["body"] = fields{"text": "Please call."}
	case "readNotifications":
		out["body"] = fields{"up_to": strings.Repeat("0", 26)}
	case "setNotificationSettings":
		out["body"] = fields{"email": true}
	}
	return out
}

func inAnHour() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

var someTarget = fields{"name": "Some", "protocol": "vnc", "address": "some.test:5900"}

const somePolicy = `permit (principal in Group::"nobody", action == Action::"connect", resource);`

func someRule(id string) fields {
	return fields{"id": id, "name": "Some", "severity": "low", "action": "alert", "sources": []string{"typed"}, "any": []string{"zap"}}
}

// alert is one in a session of the owner's.
func (m *matrix) alert(t *testing.T) any {
	t.Helper()
	s := m.must(t, m.owner, "POST", "/sessions", fields{"target_id": "desk"})["id"].(string)
	workerObserver{m.g.workers.observer}.AlertRaised(s, worker.Alert{
		Rule: "some", Name: "Some", Severity: detect.High, Action: detect.ActionAlert, Source: detect.Typed, Excerpt: "zap",
	})
	list, err := m.g.opened.db.Alerts.List(t.Context(), store.AlertFilter{Session: s, Limit: 1})
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0].ID
}

// target is one of the store's, or for what can be done to any, one of the configuration.
func (m *matrix) target(t *testing.T, r route) any {
	t.Helper()
	if r.id == "forgetCertificate" || r.method == http.MethodGet {
		return "desk"
	}
	return m.must(t, m.owner, "POST", "/targets", fields{"id": m.unique("target"), "settings": someTarget})["id"]
}

// session begins a session of the owner's; for what is about recordings it has ended and is sealed.
func (m *matrix) session(t *testing.T, r route) any {
	t.Helper()
	id := m.must(t, m.owner, "POST", "/sessions", fields{"target_id": "desk"})["id"].(string)
	if len(r.path) > 11 && r.path[:11] == "/recordings" {
		m.must(t, m.owner, "POST", "/sessions/"+id+"/terminate", nil)
		m.g.sealed(id)
	}
	return id
}

// note is the client's own where they may write one, and the owner's where not.
func (m *matrix) note(t *testing.T, session any, client *http.Client) any {
	t.Helper()
	url, body := fmt.Sprintf("/recordings/%v/notes", session), `{"t_ms": 1, "text": "look here"}`
	status, answer := m.send(t, client, "POST", url, "application/json", body)
	if status != http.StatusCreated {
		status, answer = m.send(t, m.owner, "POST", url, "application/json", body)
	}
	require.Equal(t, http.StatusCreated, status, answer)
	var note fields
	require.NoError(t, json.Unmarshal([]byte(answer), &note))
	return note["id"]
}

// export makes an export of the owner's, and waits until it is done.
func (m *matrix) export(t *testing.T, session string) any {
	t.Helper()
	path := "/recordings/" + session + "/exports"
	id := m.must(t, m.owner, "POST", path, fields{"kind": "package", "reason": "asked to"})["id"]
	require.Eventually(t, func() bool {
		return m.must(t, m.owner, "GET", fmt.Sprintf("%s/%v", path, id), nil)["state"] == "done"
	}, waitLong, tick)
	return id
}

func (m *matrix) accessRequest(t *testing.T, r route, client *http.Client) any {
	t.Helper()
	who, url := m.asker, "/access-requests"
	body := fields{"target_id": "desk", "reason": "the disk is full", "duration_s": 3600}
	switch r.id {
	case "cancelAccessRequest":
		who = client
	case "reviewAccessRequest":
		who, url = m.owner, "/access-requests/break-glass"
		delete(body, "duration_s")
	}
	return m.must(t, who, "POST", url, body)["id"]
}

// grant is one the asker has been given by the owner.
func (m *matrix) grant(t *testing.T) any {
	t.Helper()
	id := m.accessRequest(t, route{}, nil).(string)
	answer := m.must(t, m.owner, "POST", "/access-requests/"+id+"/approve", fields{"revision": 1})
	require.NotEmpty(t, answer["grant"])
	return answer["grant"]
}

// person makes somebody who is signed in.
func (m *matrix) person(t *testing.T) (id any, client *http.Client) {
	t.Helper()
	name := m.unique("person")
	id = m.must(t, m.owner, "POST", "/users", fields{"username": name, "password": matrixPassword})["user"].(fields)["id"]
	return id, m.signIn(t, name)
}

func (m *matrix) token(t *testing.T, r route, client *http.Client) (user, token any) {
	t.Helper()
	if r.id != "revokeMyToken" {
		user, client = m.person(t)
	}
	made := m.must(t, client, "POST", "/me/tokens", fields{"name": m.unique("token"), "scopes": []string{"connect"}, "expires_at": inAnHour()})
	return user, made["token"].(fields)["id"]
}

func (m *matrix) signedIn(t *testing.T, r route, client *http.Client) (user, signIn any) {
	t.Helper()
	url := "/me/sign-ins"
	if r.id != "revokeMySignIn" {
		user, _ = m.person(t)
		url = fmt.Sprintf("/users/%v/sign-ins", user)
		client = m.owner
	}
	list := m.must(t, client, "GET", url, nil)["sign_ins"].([]any)
	require.NotEmpty(t, list)
	return user, list[0].(fields)["id"]
}
