package ondemand

import (
	"fmt"
	"strings"
	"unicode"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// What an expression may be at most. The limits hold when a definition is registered, so that no request meets an
// expression that is too expensive.
const (
	MaxCharacters = 8192  // of the text
	MaxNodes      = 1000  // operators, functions, names and literals
	MaxDepth      = 100   // of operators and functions within each other
	MaxCost       = 10000 // see Program.Cost
	MaxViewCost   = 50000
)

// celParser reads the grammar of CEL without macros. It is cel-go's hand-written parser, whose messages are shorter and
// whose first use is faster than those of its generated one. A test holds the two to the same trees.
var celParser = newParser(parser.EnablePrattParser(true))

func newParser(options ...parser.Option) *parser.Parser {
	p, err := parser.NewParser(append(options,
		parser.MaxRecursionDepth(MaxDepth),
		parser.ExpressionSizeCodePointLimit(MaxCharacters),
		parser.MaxExpressionNodeCount(4*MaxNodes), // the check counts what is left of them
		parser.EnableIdentEscapeSyntax(false),
		parser.EnableVariadicOperatorASTs(true),
	)...)
	if err != nil {
		panic(err) // an option above is out of its range
	}
	return p
}

// parse reads the text of an expression.
func parse(text string) (*ast.AST, *Problem) {
	if len(text) > 4*MaxCharacters {
		return nil, tooLong()
	}
	if strings.TrimSpace(text) == "" {
		return nil, &Problem{Line: 1, Col: 1, Message: "the expression is empty"}
	}
	if p := checkComments([]rune(text)); p != nil {
		return nil, p
	}
	tree, errs := celParser.Parse(common.NewTextSource(text))
	if errs != nil && len(errs.GetErrors()) > 0 {
		return nil, syntaxProblem(text, errs.GetErrors()[0])
	}
	return tree, nil
}

// checkComments refuses a comment after something else on its line: in n // m, it is meant to be an operator.
func checkComments(text []rune) *Problem {
	_, at := outline(text)
	if at < 0 {
		return nil
	}
	p := &Problem{
		Line: 1, Col: 1, Message: "// begins a comment, which must stand on a line of its own",
		Hint: "to divide integers and drop the fraction, write /; for float64, floor(x / y)",
	}
	for _, r := range text[:at] {
		if p.Col++; r == '\n' {
			p.Line, p.Col = p.Line+1, 1
		}
	}
	return p
}

func tooLong() *Problem {
	return &Problem{
		Line: 1, Col: 1, Message: fmt.Sprintf("the expression has more than %d characters", MaxCharacters),
		Hint: "split it into several features",
	}
}

func tooDeep() *Problem {
	return &Problem{
		Line: 1, Col: 1, Message: fmt.Sprintf("the expression nests operators and functions more than %d deep", MaxDepth),
		Hint: "split it into several features",
	}
}

func tooLarge() *Problem {
	return &Problem{
		Line: 1, Col: 1, Message: fmt.Sprintf("the expression has more than %d operators, functions, names and literals", MaxNodes),
		Hint: "split it into several features",
	}
}

// syntaxProblem puts an error of the parser into fstore's words.
func syntaxProblem(text string, e *common.Error) *Problem {
	switch {
	case strings.Contains(e.Message, "code point size exceeds"):
		return tooLong()
	case strings.Contains(e.Message, "recursion limit exceeded"):
		return tooDeep()
	case strings.Contains(e.Message, "count exceeds limit"):
		return tooLarge()
	}
	p := &Problem{Line: 1, Col: 1}
	if e.Location != nil && e.Location.Line() > 0 {
		p.Line, p.Col = e.Location.Line(), e.Location.Column()+1
	}
	runes := []rune(text)
	at := offsetOf(runes, p.Line, p.Col)
	p.Hint = habitHint(runes, at)
	message := strings.TrimPrefix(e.Message, "Syntax error: ")
	message = strings.ReplaceAll(message, "'<EOF>'", "<EOF>")
	message = strings.ReplaceAll(message, "<EOF>", "the end of the expression")
	if word, ok := strings.CutPrefix(message, "reserved identifier: "); ok {
		message = word + " is a reserved word and cannot be a name"
	}
	if _, expected, ok := strings.Cut(message, " expecting "); ok && at < len(runes) {
		message = "expected " + expected
	}
	switch what, unexpected := strings.CutPrefix(message, "unexpected "); {
	case strings.HasPrefix(message, "mismatched input the end of the expression"):
		message = "the expression is incomplete, or a bracket has no partner"
	case unexpected && (what == "token" || what == "character"):
		message += wordAt(runes, at)
	case message == "unexpected token after expression":
		message = "unexpected" + wordAt(runes, at)
	case strings.HasPrefix(message, "expected ") && at < len(runes):
		message += ", not" + wordAt(runes, at)
	case message == "invalid int literal":
		message = "the number is outside int64"
		p.Hint = "int64 has -9223372036854775808 to 9223372036854775807; write 1e19 for a float64"
	case message == "unable to unescape string" && at < len(runes):
		p.Hint = rawHint(runes, at)
	}
	p.Message = "syntax: " + message
	return p
}

// IsName reports whether expressions can read a column, a feature or a view of this name: it is not a reserved word, nor at.
func IsName(name string) bool {
	tree, errs := celParser.Parse(common.NewTextSource(name))
	return len(errs.GetErrors()) == 0 && tree.Expr().Kind() == ast.IdentKind && name != atName
}

// offsetOf returns the offset of a place in a text, or the length of the text.
func offsetOf(text []rune, line, col int) int {
	start := 0
	for ; line > 1; line-- {
		start = min(len(text), start+before(text[start:], '\n')+1)
	}
	return min(len(text), start+col-1)
}

// wordAt quotes the word, or the character, at an offset. It returns "" at the end.
func wordAt(text []rune, at int) string {
	if at >= len(text) {
		return ""
	}
	end := at + 1
	for isWord(text[at]) && end < len(text) && isWord(text[end]) {
		end++
	}
	return fmt.Sprintf(" %.50q", string(text[at:end]))
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
