package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

type passkeyRow = store.Passkey

func (in *call) person() factor.Person {
	return factor.Person{ID: in.subject.ID, Name: in.subject.Name}
}

// fresh refuses changes of second factors by a sign-in that has not proved one lately, of somebody who has any: whoever
// finds a browser open must not enrol their own.
func (h *handlers) fresh(ctx context.Context, in *call) (factor.Factors, error) {
	f, err := h.factors.Of(ctx, in.subject.ID)
	if err != nil {
		return f, err
	}
	if (f.TOTP != nil || len(f.Passkeys) > 0) && time.Since(in.subject.MFAAt) > h.stepUpAge {
		return f, &Error{http.StatusForbidden, "step_up_needed", "Prove your second factor again first.", nil}
	}
	return f, nil
}

// GetMyFactors answers with the caller's second factors.
func (h *handlers) GetMyFactors(ctx context.Context, _ apigen.GetMyFactorsRequestObject) (apigen.GetMyFactorsResponseObject, error) {
	ctx, in := enter(ctx)
	f, err := h.factors.Of(ctx, in.subject.ID)
	if err != nil {
		return nil, err
	}
	required, err := h.steps.MustHaveFactor(ctx, in.subject.ID)
	if err != nil {
		return nil, err
	}
	out := apigen.GetMyFactors200JSONResponse{RecoveryCodes: f.RecoveryCodes, Required: required, Available: []apigen.FactorsAvailable{}}
	if h.mayEnrol {
		out.Available = append(out.Available, identity.FactorTOTP)
		if h.passkeysHere(in) {
			out.Available = append(out.Available, identity.FactorPasskey)
		}
	}
	if f.TOTP != nil {
		out.Totp = &struct {
			CreatedAt time.Time `json:"created_at"`
		}{f.TOTP.CreatedAt}
	}
	out.MfaAt = optional(in.subject.MFAAt)
	list := make([]map[string]any, 0, len(f.Passkeys))
	for _, p := range f.Passkeys {
		row := map[string]any{"id": p.ID, "name": p.Name, "created_at": p.CreatedAt, "cloned": p.Cloned}
		if !p.LastUsedAt.IsZero() {
			row["last_used_at"] = p.LastUsedAt
		}
		list = append(list, row)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(raw, &out.Passkeys)
}

// BeginMyTOTP makes a generator for the caller.
func (h *handlers) BeginMyTOTP(ctx context.Context, _ apigen.BeginMyTOTPRequestObject) (apigen.BeginMyTOTPResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.enrolment(ctx, in); err != nil {
		return nil, err
	}
	key, err := h.factors.BeginTOTP(ctx, in.person())
	return apigen.BeginMyTOTP200JSONResponse(keyOut(key)), err
}

// enrolment is fresh where second factors are on at all.
func (h *handlers) enrolment(ctx context.Context, in *call) (factor.Factors, error) {
	if !h.mayEnrol {
		return factor.Factors{}, &Error{http.StatusConflict, "mfa_off", "Second factors are off at this gateway.", nil}
	}
	return h.fresh(ctx, in)
}

// ConfirmMyTOTP makes the generator count.
func (h *handlers) ConfirmMyTOTP(ctx context.Context, r apigen.ConfirmMyTOTPRequestObject) (apigen.ConfirmMyTOTPResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.enrolment(ctx, in); err != nil {
		return nil, err
	}
	codes, err := h.factors.ConfirmTOTP(ctx, in.person(), r.Body.Code)
	return apigen.ConfirmMyTOTP200JSONResponse{RecoveryCodes: some(codes)}, err
}

// DeleteMyTOTP removes the caller's generator.
func (h *handlers) DeleteMyTOTP(ctx context.Context, _ apigen.DeleteMyTOTPRequestObject) (apigen.DeleteMyTOTPResponseObject, error) {
	ctx, in := enter(ctx)
	f, err := h.fresh(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := h.notTheLast(ctx, in, f.TOTP != nil && f.UsablePasskeys() == 0); err != nil {
		return nil, err
	}
	return apigen.DeleteMyTOTP204Response{}, h.factors.RemoveTOTP(ctx, in.subject.ID)
}

// notTheLast refuses to remove the last factor of somebody who must have one.
func (h *handlers) notTheLast(ctx context.Context, in *call, last bool) error {
	if !last {
		return nil
	}
	required, err := h.steps.MustHaveFactor(ctx, in.subject.ID)
	if err != nil || !required {
		return err
	}
	return &Error{http.StatusConflict, "last_factor", "You need a second factor. Enrol another before you remove this one.", nil}
}

// BeginMyPasskey makes the options for a passkey of the caller.
func (h *handlers) BeginMyPasskey(ctx context.Context, _ apigen.BeginMyPasskeyRequestObject) (apigen.BeginMyPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.enrolment(ctx, in); err != nil {
		return nil, err
	}
	out, err := optionsOut(h.factors.BeginEnrolment(ctx, in.person()))
	return apigen.BeginMyPasskey200JSONResponse(out), err
}

// AddMyPasskey enrols the passkey.
func (h *handlers) AddMyPasskey(ctx context.Context, r apigen.AddMyPasskeyRequestObject) (apigen.AddMyPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.enrolment(ctx, in); err != nil {
		return nil, err
	}
	answer, err := json.Marshal(r.Body.Credential)
	if err != nil {
		return nil, err
	}
	made, codes, err := h.factors.FinishEnrolment(ctx, in.person(), r.Body.Name, answer)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "passkey", made.ID, made.Name)
	return apigen.AddMyPasskey201JSONResponse{RecoveryCodes: some(codes)}, nil
}

// RenameMyPasskey gives a passkey of the caller another name.
func (h *handlers) RenameMyPasskey(ctx context.Context, r apigen.RenameMyPasskeyRequestObject) (apigen.RenameMyPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	audit.About(ctx, "passkey", r.PasskeyParameter, r.Body.Name)
	return apigen.RenameMyPasskey204Response{}, h.factors.RenamePasskey(ctx, in.subject.ID, r.PasskeyParameter, r.Body.Name)
}

// DeleteMyPasskey removes a passkey of the caller.
func (h *handlers) DeleteMyPasskey(ctx context.Context, r apigen.DeleteMyPasskeyRequestObject) (apigen.DeleteMyPasskeyResponseObject, error) {
	ctx, in := enter(ctx)
	f, err := h.fresh(ctx, in)
	if err != nil {
		return nil, err
	}
	rest := 0
	for _, p := range f.Passkeys {
		if p.ID != r.PasskeyParameter && !p.Cloned {
			rest++
		}
	}
	if err := h.notTheLast(ctx, in, f.TOTP == nil && rest == 0); err != nil {
		return nil, err
	}
	audit.About(ctx, "passkey", r.PasskeyParameter, "")
	return apigen.DeleteMyPasskey204Response{}, h.factors.RemovePasskey(ctx, in.subject.ID, r.PasskeyParameter)
}

// NewRecoveryCodes replaces the caller's recovery codes.
func (h *handlers) NewRecoveryCodes(ctx context.Context, _ apigen.NewRecoveryCodesRequestObject) (apigen.NewRecoveryCodesResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.fresh(ctx, in); err != nil {
		return nil, err
	}
	codes, err := h.factors.NewRecoveryCodes(ctx, in.subject.ID)
	return apigen.NewRecoveryCodes200JSONResponse{RecoveryCodes: some(codes)}, err
}

// StepUpOptions begins to prove a passkey again.
func (h *handlers) StepUpOptions(ctx context.Context, _ apigen.StepUpOptionsRequestObject) (apigen.StepUpOptionsResponseObject, error) {
	ctx, in := enter(ctx)
	out, err := optionsOut(h.steps.BeginStepUp(ctx, in.subject.ID))
	return apigen.StepUpOptions200JSONResponse(out), stillSignedIn(err)
}

// StepUp proves a second factor again.
func (h *handlers) StepUp(ctx context.Context, r apigen.StepUpRequestObject) (apigen.StepUpResponseObject, error) {
	ctx, in := enter(ctx)
	proof := identity.Proof{TOTP: valueOr(r.Body.Code, ""), Recovery: valueOr(r.Body.RecoveryCode, "")}
	if r.Body.Credential != nil {
		var err error
		if proof.Passkey, err = json.Marshal(r.Body.Credential); err != nil {
			return nil, err
		}
	}
	at, err := h.steps.StepUp(ctx, in.token, in.subject.ID, in.address, proof)
	return apigen.StepUp200JSONResponse{MfaAt: at}, stillSignedIn(err)
}

// stillSignedIn turns a failed proof into another answer than 401, for the sign-in is as good as before.
func stillSignedIn(err error) error {
	if errors.Is(err, identity.ErrSecondFactor) || errors.Is(err, factor.ErrWrong) {
		return &Error{http.StatusUnprocessableEntity, "second_factor_wrong", "The code is wrong or was used before, or the passkey was not the right one.", err}
	}
	return err
}

// ResetFactors removes somebody's second factors and ends their sign-ins.
func (h *handlers) ResetFactors(ctx context.Context, r apigen.ResetFactorsRequestObject) (apigen.ResetFactorsResponseObject, error) {
	ctx, in := enter(ctx)
	audit.About(ctx, "user", r.FactorUserParameter, "")
	if err := h.may(ctx, in, policy.ManageUsers, policy.Resource{Kind: policy.KindSystem}); err != nil {
		return nil, err
	}
	name, err := h.steps.ResetFactors(ctx, r.FactorUserParameter)
	audit.About(ctx, "user", r.FactorUserParameter, name)
	return apigen.ResetFactors204Response{}, err
}
