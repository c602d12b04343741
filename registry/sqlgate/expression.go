package sqlgate

import (
	"context"
	"strings"

	"github.com/fstore-dev/fstore"
)

// expressionPrefix makes a query of an expression.
const expressionPrefix = "SELECT (\n"

// ExpressionQuery returns the query of one row and column that an expression stands for, as Expression parses it.
func ExpressionQuery(text string) string { return expressionPrefix + text + "\n)" }

// Expression parses an expression over the columns of one row, and returns what is refused in it: all that the gate
// refuses in a query, and whatever reads more than the row. Offsets are those in text. The error is an *fstore.SQLError for
// text that is not one expression.
func (g *Gate) Expression(ctx context.Context, text string) (refused []Finding, err error) {
	tree, err := g.Parse(ctx, ExpressionQuery(text))
	if err != nil {
		return nil, err
	}
	selected := tree.root.list("select_list")
	if tree.root.str("type") != "SELECT_NODE" || len(selected) != 1 || tree.root.child("from_table").str("type") != "EMPTY" || asNode(selected[0]).str("alias") != "" {
		return []Finding{{0, "this is not one expression", "an expression over columns, such as quantity * unit_price"}}, nil
	}
	refused = tree.Inspect().Refused
	eachNode(selected, func(n node) {
		name := callName(n)
		refuse := func(message, hint string) { refused = append(refused, Finding{n.offset(), message, hint}) }
		switch class := n.str("class"); {
		case class == "WINDOW":
			refuse(name+"() OVER reads more than one row", "aggregate it over windows, or compute it in a query: a view may have sql in place of source")
		case class == "SUBQUERY":
			refuse("a subquery reads more than one row", "compute it in a query: a view may have sql in place of source")
		case class == "STAR":
			refuse("* is not one value", "name the column")
		case class == "FUNCTION" && (aggregateNames[name] || n["filter"] != nil || n["distinct"] == true):
			refuse(name+"() is an aggregate, and an expression is computed for each row", "the aggregation names its function, such as function: sum")
		}
	})
	for i := range refused {
		refused[i].Offset = max(-1, refused[i].Offset-len(expressionPrefix))
	}
	return refused, nil
}

// CheckExpression returns an error unless the gate accepts an expression. It is for those from elsewhere, such as a lock's.
func CheckExpression(ctx context.Context, parser Parser, name, text string) error {
	refused, err := New(parser).Expression(ctx, text)
	if err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", name, firstLine(err))
	}
	if len(refused) > 0 {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", name, refused[0].Message).WithHint("%s", refused[0].Hint)
	}
	return nil
}

// CanonicalExpression returns the tree of an expression as Canonical does that of a query, nil for none.
func (g *Gate) CanonicalExpression(ctx context.Context, text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	tree, err := g.Parse(ctx, ExpressionQuery(text))
	if err != nil {
		return nil, err
	}
	return tree.Canonical(), nil
}
