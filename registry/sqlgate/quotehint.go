package sqlgate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// quoteHint returns a hint to quote a name that is an SQL keyword, such as at or order, if that is why the text does
// not parse. It tries the word at the error and the one before it, and returns "" if quoting neither gets the parser
// further.
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
	// clause has keywords that are unlikely to be meant as names.
	clause = functionSet("from where select join on using and or not as by having with union except intersect in is between when then else case")
	// nextClause has keywords that often follow a mistake rather than being meant as names.
	nextClause = functionSet("order group limit offset window qualify")
)

func quoteWord(w word) string {
	return fmt.Sprintf(`%[1]s is an SQL keyword: to use it as a name, write "%[1]s"`, w.text)
}

// parsesFurther reports whether the SQL parses, or parses beyond the error, once a word is quoted.
func (g *Gate) parsesFurther(ctx context.Context, text string, w word, at int) bool {
	end := w.offset + len(w.text)
	_, err := g.Parse(ctx, text[:w.offset]+`"`+w.text+`"`+text[end:])
	var wrong *fstore.SQLError
	return err == nil || errors.As(err, &wrong) && wrong.Offset > max(at, end)+len(`""`)
}
