package httpapi

import (
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

func TestTextThatNoClientCanReadIsCorrupt(t *testing.T) {
	c := fstore.NewColumn("name", fstore.String, 2)
	c.Append("fine")
	c.Append("\xff\xfe")
	_, err := appendAnswerJSON(nil, nil, &fstore.FeatureList{}, &online.Answer{Rows: 2, Features: []online.AnswerFeature{{Column: c}}}, 0)
	wantRefusal(t, err, fstore.ErrCorrupt, "feature name: string 2 is not UTF-8")
}
