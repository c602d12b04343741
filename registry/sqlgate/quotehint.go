package sqlgate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// quoteHint returns what to write where SQL does not parse because a name in it is a word of SQL, such as at or order:
// the word at the error or the one before, if the SQL gets further with it in quotes. It returns "" if neither is.
func (g *Gate) quoteHint(ctx context.Context, text string, wrong *fstore.SQLError) string {
	if !strings.Contains(wrong.Message, "syntax error") {
		return ""
	}
	at := wrong.Offset
	if at < 0 { // at the end of the text
		at = len(text)
	}
	before := word{offset: -1}

	for _, w := range words(text) {
		name := strings.ToLower(w.text)
		isPlain := !w.parameter && strings.HasPrefix(text[w.offset:], w.text) && !clause[name]
		if w.offset > at {
			break
		}
		if w.offset == at && isPlain && !nextClause[name] && g.parsesFurther(ctx, text, w, at) {
			return quoteWord(w)
		}
		if w.offset < at {
			before = word{offset: -1}
			if isPlain {
				before = w
			}
		}
	}
	if before.offset >= 0 && strings.TrimSpace(text[before.offset+len(before.text):at]) == "" && g.parsesFurther(ctx, text, before, at) {
		return quoteWord(before)
	}
	return ""
}

var (
	// clause has words that are hardly meant as names.
	clause = functionSet("from where select join on using and or not as by having with union except intersect in is between when then else case")
	// nextClause has words before which something is missing, rather than that they are names.
	nextClause = functionSet("order group limit offset window qualify")
)

func quoteWord(w word) string {
	return fmt.Sprintf(`%[1]s is a word of SQL: as a name it is written in double quotes, "%[1]s"`, w.text)
}

// parsesFurther reports whether SQL parses, or parses further than the error, with a word in quotes.
func (g *Gate) parsesFurther(ctx context.Context, text string, w word, at int) bool {
	end := w.offset + len(w.text)
	_, err := g.Parse(ctx, text[:w.offset]+`"`+w.text+`"`+text[end:])
	var wrong *fstore.SQLError
	return err == nil || errors.As(err, &wrong) && wrong.Offset > max(at, end)+len(`""`)
}
