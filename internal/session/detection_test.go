package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// ruled gives a session rules: one of each action, for what their names say.
func ruled(r *rig) {
	var rules []detect.Rule
	for _, a := range detect.Actions() {
		rules = append(rules, detect.Rule{
			ID: string(a), Name: "Said " + string(a), Severity: detect.High, Action: a,
			Sources: []detect.Source{detect.Typed, detect.Clipboard, detect.Title}, Any: []string{`\bdo-` + string(a) + `\b`},
		})
	}
	set, err := detect.Compile(rules, nil)
	require.NoError(r.t, err)
	r.cfg.Detection = Detection{Rules: set, Origin: time.Now(), Alert: func(a recording.AlertEvent) {
		r.add("told %s x%d %q", a.Rule, a.Count, a.Excerpt)
	}}
}

func secret(r *rig) { r.cfg.Detection.Secret = true }

// typed presses and lets go of the keys of a text.
func (r *rig) typed(text string) {
	r.t.Helper()
	for _, c := range text {
		if c == '\b' {
			c = rune(keyboard.BackSpace)
		}
		r.press(key(c, true), key(c, false))
	}
}

var enter = desktop.KeyEvent{Keysym: keyboard.Return, Down: true}

func TestDetectionWithholdsEnter(t *testing.T) {
	for action, want := range map[string]EndCode{"terminate": EndRule, "freeze": "", "require_justification": ""} {
		frozen := map[string]EndCode{"freeze": EndRule, "require_justification": EndJustification}[action]
		t.Run(action, func(t *testing.T) {
			inActive(t, func(r *rig) {
				r.typed("sudo do-" + strings.Replace(action, "i", "ix\b", 1))
				r.take()
				require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, enter), RefusedByRule)
				if want != "" {
					end := r.end(want)
					require.Contains(r.t, end.Message, "Said "+action)
				}
				synctest.Wait()
				lines := r.take("record", "send", "told", "status")
				require.Equal(r.t, "record key ann Return true", lines[0])
				require.Equal(r.t, "record alert "+action+` `+action+` typed x0 "sudo do-`+action+`"`, lines[1])
				require.Equal(r.t, "told "+action+` x0 "sudo do-`+action+`"`, lines[2])
				for _, line := range lines {
					require.False(r.t, strings.HasPrefix(line, "send"), "%s reached the target: %q", action, lines)
				}
				i := len(r.recorder.events) - 1
				for ; ; i-- {
					if k, ok := r.recorder.events[i].(recording.KeyEvent); ok {
						require.True(r.t, k.Held, "the recording says that Enter was held back")
						break
					}
				}
				if want != "" {
					return
				}
				require.Equal(r.t, StateFrozen, r.s.status.State)
				require.Equal(r.t, frozen, r.s.status.Frozen.End.Code)
				require.Empty(r.t, r.s.status.Frozen.By.Name)
				r.stillRefused(RefusedFrozen, ann, key('x', true))

				// Whoever resumes the session does not run the line: it has to be given up first.
				require.NoError(r.t, r.s.Resume(r.t.Context(), bob.Person))
				require.ErrorIs(r.t, r.s.Input(r.t.Context(), ann, enter), RefusedByRule)
				require.NoError(r.t, r.s.Resume(r.t.Context(), bob.Person))
				r.press(key(rune(keyboard.ControlL), true), key('u', true), key('u', false), key(rune(keyboard.ControlL), false))
				r.typed("ls")
				r.press(enter)
				r.running()
			}, ruled)
		})
	}
}

func TestDetectionRecordsLines(t *testing.T) {
	inActive(t, func(r *rig) {
		r.typed("do-alerz\b")
		r.take()
		r.typed("t")
		r.press(enter)
		r.want(r.take("record line", "record alert", "told", "send"),
			"send key {Keysym:116 Scancode:0 Down:true}", "send key {Keysym:116 Scancode:0 Down:false}",
			`record line ann "do-alert" enter`, `record alert alert alert typed x0 "do-alert"`, `told alert x0 "do-alert"`,
			"send key {Keysym:65293 Scancode:0 Down:true}")
	}, ruled)
}

func TestDetectionIsSilent(t *testing.T) {
	inActive(t, func(r *rig) {
		r.typed("ls -l /etc")
		r.press(enter)
		r.want(r.take("record line", "record alert", "told"), `record line ann "ls -l /etc" enter`)
	}, ruled)
	inActive(t, func(r *rig) {
		r.typed("do-terminate")
		r.press(enter)
		r.want(r.take("record line", "record alert", "told"))
		r.running()
	}) // off
}

// What the recorder is told it keeps for itself; what leaves the session has no text.
func TestDetectionTellsNoTypedText(t *testing.T) {
	inActive(t, func(r *rig) {
		r.typed("do-alert")
		r.press(enter, desktop.ClipboardText{Text: "do-alert"})
		r.want(r.take("told"), `told alert x0 ""`, `told alert x0 "do-alert"`)
	}, ruled, secret)
}

func TestDetectionOfClipboardAndName(t *testing.T) {
	inActive(t, func(r *rig) {
		r.refused(RefusedByRule, ann, desktop.ClipboardText{Text: "x\ndo-freeze\n"})
		require.Equal(r.t, StateFrozen, r.s.status.State)
	}, ruled)
	inActive(t, func(r *rig) {
		r.s.Renamed("root: do-freeze")
		synctest.Wait()
		require.Equal(r.t, StateFrozen, r.s.status.State)
	}, ruled)
	inActive(t, func(r *rig) {
		r.s.ClipboardFromTarget("do-terminate")
		r.end(EndRule)
	}, ruled)
}

func TestAlertsAreGrouped(t *testing.T) {
	inActive(t, func(r *rig) {
		for range 5 {
			r.typed("do-alert")
			r.press(enter)
		}
		r.want(r.take("told"), `told alert x0 "do-alert"`)
		time.Sleep(alertWindow)
		synctest.Wait()
		r.want(r.take("told", "record alert"), `record alert alert alert typed x4 "do-alert"`, `told alert x4 "do-alert"`)
		r.typed("do-alert")
		r.press(enter)
		r.want(r.take("told"), `told alert x0 "do-alert"`)
	}, ruled)
}
