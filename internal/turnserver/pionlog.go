package turnserver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs passes what pion has to say to slog, for debugging only: whoever sends it garbage makes it complain. Its messages about each
// packet are not kept.
type pionLogs struct{ log *slog.Logger }

var _ logging.LoggerFactory = pionLogs{}

// NewLogger implements logging.LoggerFactory.
func (l pionLogs) NewLogger(string) logging.LeveledLogger { return pionLog(l) }

type pionLog struct{ log *slog.Logger }

func (l pionLog) say(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("turn stack", "detail", fmt.Sprintf(format, args...))
	}
}

func (pionLog) Trace(string)                     {}
func (pionLog) Tracef(string, ...any)            {}
func (pionLog) Debug(string)                     {}
func (pionLog) Debugf(string, ...any)            {}
func (pionLog) Info(string)                      {}
func (pionLog) Infof(string, ...any)             {}
func (l pionLog) Warn(msg string)                { l.say("%s", msg) }
func (l pionLog) Warnf(format string, a ...any)  { l.say(format, a...) }
func (l pionLog) Error(msg string)               { l.say("%s", msg) }
func (l pionLog) Errorf(format string, a ...any) { l.say(format, a...) }
