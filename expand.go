package fstore

import "strings"

// Expand replaces ${VAR} and ${VAR:-default} in a value of a definition or of fstore.yaml. An empty variable counts
// as unset; a default is taken literally. $${ gives ${, and a $ before anything else is an ordinary character. The
// error is ErrInvalid and names the variable.
func Expand(s string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1])
			b.WriteString("${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		inner, rest, closed := strings.Cut(s[i+2:], "}")
		name, fallback, hasDefault := strings.Cut(inner, ":-")
		if !closed || !isVariable(name) {
			return "", Errorf(ErrInvalid, "%q is not a variable", s[i:min(len(s), i+40)]).
				WithHint("${NAME} or ${NAME:-default}; $${ writes ${ itself")
		}
		value, set := lookup(name)
		switch {
		case set && value != "":
			b.WriteString(value)
		case hasDefault:
			b.WriteString(fallback)
		default:
			return "", Errorf(ErrInvalid, "the variable %s is not set", name).
				WithHint("export %s=…, or give a default: ${%s:-default}", name, name)
		}
		s = rest
	}
}

func isVariable(s string) bool {
	for i, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return false
	}
	return s != ""
}
