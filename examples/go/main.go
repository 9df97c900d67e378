// Calls a function of a Mini Share Point server by protocol v2: msp-client PROFILE FUNCTION [PARAMS]
//
// PROFILE is a file that `msp join` or `msp profile add` wrote, PARAMS a JSON object.
// docs/protocol-v2.md explains every step.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/flynn/noise"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/curve25519"
)

// profile holds keys in base64, which encoding/json reads into bytes.
type profile struct {
	URL        string `json:"url"`
	ServerKey  []byte `json:"serverKey"`
	PrivateKey []byte `json:"privateKey"`
}

// session is what a handshake gives: a ticket, and the keys of calls and answers.
type session struct {
	ticket         []byte
	calls, answers [32]byte
}

// keptKey is ChaChaPoly that keeps its key: calls are sealed with XChaCha20-Poly1305.
type keptKey struct{ noise.CipherFunc }

type keyedCipher struct {
	noise.Cipher
	key [32]byte
}

func (k keptKey) Cipher(key [32]byte) noise.Cipher {
	return keyedCipher{k.CipherFunc.Cipher(key), key}
}

func keyOf(state *noise.CipherState) [32]byte { return state.Cipher().(keyedCipher).key }

func post(url string, body []byte) ([]byte, error) {
	client := http.Client{
		Timeout: 30 * time.Second,
		// The server itself never redirects.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("refused: status %d", response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, 64<<20))
}

// connect says hello (section 4).
func connect(p profile) (*session, error) {
	public, err := curve25519.X25519(p.PrivateKey, curve25519.Basepoint)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(append([]byte("msp/2 key"), p.ServerKey...))
	head := append([]byte{1}, id[:8]...)
	cipher := keptKey{noise.CipherChaChaPoly}
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:   noise.NewCipherSuite(noise.DH25519, cipher, noise.HashSHA256),
		Pattern:       noise.HandshakeIK,
		Initiator:     true,
		Prologue:      append([]byte("msp/2"), head...),
		StaticKeypair: noise.DHKey{Private: p.PrivateKey, Public: public},
		PeerStatic:    p.ServerKey,
	})
	if err != nil {
		return nil, err
	}
	hello, _, _, err := state.WriteMessage(head, nil)
	if err != nil {
		return nil, err
	}
	answer, err := post(p.URL, hello)
	if err != nil {
		return nil, err
	}
	if len(answer) < 1 || answer[0] != 2 {
		return nil, errors.New("the answer is not a welcome")
	}
	payload, calls, answers, err := state.ReadMessage(nil, answer[1:])
	if err != nil || len(payload) < 15 {
		return nil, errors.New("the answer does not open with the server's key")
	}
	length := int(binary.BigEndian.Uint16(payload[13:15]))
	if payload[0] != 0 || len(payload) < 15+length {
		return nil, fmt.Errorf("the server refused this client, with status %d", payload[0])
	}
	return &session{payload[15 : 15+length], keyOf(calls), keyOf(answers)}, nil
}

// exchange sends a JSON-RPC request and gives the response (section 6).
func (s *session) exchange(url string, text []byte) ([]byte, error) {
	for len(text)%64 != 0 {
		text = append(text, ' ')
	}
	// The first four bytes number the calls of a ticket; this one gets no second call.
	nonce := make([]byte, 24)
	if _, err := rand.Read(nonce[4:]); err != nil {
		return nil, err
	}
	call := []byte{3, byte(len(s.ticket) >> 8), byte(len(s.ticket))}
	call = append(append(call, s.ticket...), nonce...)
	seal, err := chacha20poly1305.NewX(s.calls[:])
	if err != nil {
		return nil, err
	}
	answer, err := post(url, seal.Seal(call, nonce, text, call))
	if err != nil {
		return nil, err
	}
	if len(answer) < 25 || answer[0] != 4 {
		return nil, errors.New("the answer is not one of a call")
	}
	open, err := chacha20poly1305.NewX(s.answers[:])
	if err != nil {
		return nil, err
	}
	ad := append(append([]byte{4}, nonce...), answer[1:25]...)
	response, err := open.Open(nil, answer[1:25], answer[25:], ad)
	if err != nil {
		return nil, errors.New("the answer does not open with the keys of the session")
	}
	return response, nil
}

// executed says whether a function ran that gave this error (section 7).
func executed(code int, data struct{ Executed string }) string {
	switch code {
	case -32700, -32600, -32601, -32602, -32000:
		return "no"
	}
	if data.Executed != "" {
		return data.Executed
	}
	return "yes"
}

func fail(err error, executed string) {
	if executed != "" {
		err = fmt.Errorf("%w (executed: %s)", err, executed)
	}
	fmt.Fprintln(os.Stderr, "msp-client:", err)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: msp-client PROFILE FUNCTION [PARAMS]")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err, "")
	}
	var p profile
	if json.Unmarshal(text, &p) != nil || len(p.ServerKey) != 32 || len(p.PrivateKey) != 32 {
		fail(fmt.Errorf("cannot use %s: it is not a profile", os.Args[1]), "")
	}
	params := json.RawMessage("{}")
	if len(os.Args) == 4 {
		params = json.RawMessage(os.Args[3])
	}
	request, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": os.Args[2], "params": params,
	})
	if err != nil {
		fail(errors.New("cannot use the arguments: they are not JSON"), "")
	}
	s, err := connect(p)
	if err != nil {
		fail(err, "no")
	}
	answer, err := s.exchange(p.URL, request)
	if err != nil {
		fail(err, "maybe")
	}
	var response struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
			Data    struct{ Executed string }
		}
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		fail(errors.New("the answer is not JSON-RPC"), "maybe")
	}
	if response.Error != nil {
		fail(fmt.Errorf("%s: %s", os.Args[2], response.Error.Message), executed(response.Error.Code, response.Error.Data))
	}
	var plain string
	if json.Unmarshal(response.Result, &plain) == nil && string(response.Result) != "null" {
		fmt.Println(plain)
	} else {
		fmt.Println(string(response.Result))
	}
}
