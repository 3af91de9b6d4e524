package rdp

import "testing"

func sharePDUCases(t testing.TB) []pduCase {
	return []pduCase{
		{
			name: "4.1.14", bytes: unhex(t, "16001700ef03ea030100000108001f0000000100ea03"), once: true,
			pdu: &dataPDU{1007, DataPDU{DataSynchronize, 0x000103ea, AppendSynchronize(nil, 1002)}},
		},
		{
			name: "4.1.15", bytes: unhex(t, "1a001700ef03ea03010000010c00140000000400000000000000"), once: true,
			pdu: &dataPDU{1007, DataPDU{DataControl, 0x000103ea, AppendControl(nil, ControlCooperate, 0, 0)}},
		},
		{
			name: "4.1.16", bytes: unhex(t, "1a001700ef03ea03010000010c00140000000100000000000000"), once: true,
			pdu: &dataPDU{1007, DataPDU{DataControl, 0x000103ea, AppendControl(nil, ControlRequest, 0, 0)}},
		},
		{
			name: "4.1.18", bytes: unhex(t, "1a001700ef03ea03010000013bda270000000000000003003200"), once: true,
			pdu: &dataPDU{1007, DataPDU{DataFontList, 0x000103ea, AppendFontList(nil)}},
		},
		{
			name: "4.1.21", bytes: unhex(t, "1a001700ea03ea03010012021a00140000000200ef03ea030000"), once: true,
			pdu: &dataPDU{1002, DataPDU{DataControl, 0x000103ea, AppendControl(nil, ControlGranted, 1007, 1002)}},
		},
		{
			name: "4.1.22", bytes: unhex(t, "1a001700ea03ea03010045021a00280000000000000003000400"), once: true,
			pdu: &dataPDU{1002, DataPDU{DataFontMap, 0x000103ea, AppendFontMap(nil)}},
		},
		{
			name: "as a server writes it", bytes: unhex(t, "16001700ea03ea030100000116002f00000005000000"),
			pdu: &dataPDU{1002, DataPDU{DataSetErrorInfo, 0x000103ea, ErrorInfoOtherConnection.Append(nil)}},
		},
		{name: "several", bytes: unhex(t, "08001700ea030102 06001600ea03"), pdu: &sharePDUs{[]SharePDU{
			{ShareData, 1002, []byte{1, 2}}, {ShareDeactivateAll, 1002, []byte{}},
		}}},
		{name: "redirection", bytes: unhex(t, "07000a00ea0309"), pdu: &sharePDUs{[]SharePDU{{ShareRedirection, 1002, []byte{9}}}}},
		{
			name: "redirection of version 1", bytes: unhex(t, "07001a00ea0309"), once: true,
			pdu: &sharePDUs{[]SharePDU{{ShareRedirection, 1002, []byte{9}}}},
		},
		{
			name: "flow PDUs around", bytes: unhex(t, "0080004100000000 08001700ea030102 0080004200000000"), once: true,
			pdu: &sharePDUs{[]SharePDU{{ShareData, 1002, []byte{1, 2}}}},
		},
		{
			name: "deactivation without a source", bytes: unhex(t, "04001600"), once: true,
			pdu: &sharePDUs{[]SharePDU{{Kind: ShareDeactivateAll}}},
		},
		{name: "nothing", bytes: nil, pdu: &sharePDUs{}},
	}
}

func TestShareMalformed(t *testing.T) {
	share, data := &sharePDUs{}, &dataPDU{}
	refuseAll(t, []malformed{
		{"length 0", share, unhex(t, "00001700ea03"), "length 0"},
		{"length 3", share, unhex(t, "03001700ea03"), "length 3"},
		{"length 5", share, unhex(t, "05001700ea03"), "length 5"},
		{"length beyond the end", share, unhex(t, "07001700ea03"), "1 bytes wanted"},
		{"version 0", share, unhex(t, "06000700ea03"), "type 0x7"},
		{"version 2", share, unhex(t, "06002700ea03"), "type 0x27"},
		{"half a flow PDU", share, unhex(t, "0080004100"), "TS_SHARECONTROLHEADER"},
		{"compressed", data, unhex(t, "16001700ea03ea030100000116002f20000005000000"), "compressed (0x20)"},
		{"data header cut", data, unhex(t, "11001700ea03ea0301000001160000002f"), "TS_SHAREDATAHEADER"},
	})
}
