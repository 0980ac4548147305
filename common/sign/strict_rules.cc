#include "common/sign/strict_rules.h"

namespace holdfast::sign {
namespace {

using enum FieldKind;

constexpr bool kOnce = false;
constexpr bool kMany = true;

// --- envelope.proto
constexpr FieldRule kSigFields[] = {{1, kBytes}, {2, kBytes}};
constexpr MessageRule kSig = {"holdfast.command.v1.Sig", kSigFields};
constexpr FieldRule kEnvelopeFields[] = {{1, kString}, {2, kBytes}, {3, kMessage, kMany, 0, &kSig}};

// --- limits.proto
constexpr FieldRule kLimitsFields[] = {{1, kUint64}, {2, kUint64}, {3, kUint64}, {4, kUint64},
                                       {5, kUint64}, {6, kUint32}, {7, kUint64}, {8, kUint32}};
constexpr MessageRule kLimits = {"holdfast.command.v1.Limits", kLimitsFields};

// --- trust.proto
constexpr FieldRule kVerbClassFields[] = {{1, kString},
                                          {2, kString, kMany},
                                          {3, kUint32},
                                          {4, kUint64},
                                          {5, kMessage, kOnce, 0, &kLimits},
                                          {6, kMessage, kOnce, 0, &kLimits}};
constexpr MessageRule kVerbClass = {"holdfast.command.v1.VerbClass", kVerbClassFields};
constexpr FieldRule kPolicyFields[] = {
    {1, kBytes},        {2, kUint64},       {3, kBytes},
    {4, kUint64},       {5, kBytes, kMany}, {6, kUint32},
    {7, kBytes, kMany}, {8, kUint64},       {9, kMessage, kMany, 0, &kVerbClass}};
constexpr FieldRule kCertFields[] = {{1, kBytes},  {2, kString}, {3, kBytes}, {4, kString, kMany},
                                     {5, kUint64}, {6, kUint64}, {7, kBytes}, {8, kBytes}};
constexpr FieldRule kLoginFields[] = {
    {1, kBytes}, {2, kString}, {3, kBytes}, {4, kBytes}, {5, kUint64}};
constexpr FieldRule kFactsFields[] = {{1, kString}, {2, kString}, {3, kString},
                                      {4, kString}, {5, kString}, {6, kBool}};
constexpr MessageRule kFacts = {"holdfast.command.v1.AgentFacts", kFactsFields};
constexpr FieldRule kHelloFields[] = {
    {1, kBytes}, {2, kString}, {3, kBytes},   {4, kBytes},
    {5, kBytes}, {6, kBytes},  {7, kUint64},  {8, kBytes},
    {9, kBytes}, {10, kBytes}, {11, kString}, {12, kMessage, kOnce, 0, &kFacts}};
constexpr FieldRule kPtyKeyFields[] = {{1, kBytes}, {2, kBytes}, {3, kBytes}, {4, kBytes}};

// --- command.proto
constexpr FieldRule kTargetFields[] = {{1, kBytes, kMany}};
constexpr MessageRule kTarget = {"holdfast.command.v1.Target", kTargetFields};
constexpr FieldRule kBlobFields[] = {{1, kBytes}, {2, kUint64}};
constexpr MessageRule kBlob = {"holdfast.command.v1.Blob", kBlobFields};
constexpr FieldRule kQueryFields[] = {{1, kString}};
constexpr MessageRule kQuery = {"holdfast.command.v1.QueryArgs", kQueryFields};
constexpr FieldRule kLsFields[] = {{1, kBytes}, {2, kBool}, {3, kBool}};
constexpr MessageRule kLs = {"holdfast.command.v1.LsArgs", kLsFields};
constexpr FieldRule kStatFields[] = {{1, kBytes, kMany}};
constexpr MessageRule kStat = {"holdfast.command.v1.StatArgs", kStatFields};
constexpr FieldRule kCatFields[] = {{1, kBytes}, {2, kUint64}, {3, kUint64}};
constexpr MessageRule kCat = {"holdfast.command.v1.CatArgs", kCatFields};
constexpr FieldRule kHashFields[] = {{1, kBytes, kMany}};
constexpr MessageRule kHash = {"holdfast.command.v1.HashArgs", kHashFields};
constexpr FieldRule kGetFields[] = {{1, kBytes}};
constexpr MessageRule kGet = {"holdfast.command.v1.GetArgs", kGetFields};
constexpr FieldRule kPutFields[] = {{1, kBytes}, {2, kUint32}, {3, kBool}};
constexpr MessageRule kPut = {"holdfast.command.v1.PutArgs", kPutFields};
constexpr FieldRule kExecFields[] = {
    {1, kBytes, kMany}, {2, kBytes}, {3, kBytes, kMany}, {4, kBytes}};
constexpr MessageRule kExec = {"holdfast.command.v1.ExecArgs", kExecFields};
constexpr MessageRule kPs = {"holdfast.command.v1.PsArgs", {}};
constexpr FieldRule kKillFields[] = {
    {1, kPackedInt32, kMany}, {2, kInt32}, {3, kPackedUint64, kMany}, {4, kBool}};
constexpr MessageRule kKill = {"holdfast.command.v1.KillArgs", kKillFields};
constexpr FieldRule kCancelFields[] = {{1, kBytes}};
constexpr MessageRule kCancel = {"holdfast.command.v1.CancelArgs", kCancelFields};
constexpr FieldRule kFindFields[] = {{1, kBytes},   {2, kBytes},   {3, kBytes},   {4, kBytes},
                                     {5, kString},  {6, kUint64},  {7, kUint64},  {8, kInt64},
                                     {9, kInt64},   {10, kBytes},  {11, kUint32}, {12, kUint32},
                                     {13, kUint32}, {14, kBool},   {15, kBool},   {16, kBytes},
                                     {17, kBytes},  {18, kUint64}, {19, kBool}};
constexpr MessageRule kFind = {"holdfast.command.v1.FindArgs", kFindFields};
constexpr FieldRule kMkdirFields[] = {{1, kBytes}, {2, kUint32}, {3, kBool}};
constexpr MessageRule kMkdir = {"holdfast.command.v1.MkdirArgs", kMkdirFields};
constexpr FieldRule kCpFields[] = {{1, kBytes}, {2, kBytes}, {3, kBool}, {4, kBool}};
constexpr MessageRule kCp = {"holdfast.command.v1.CpArgs", kCpFields};
constexpr FieldRule kMvFields[] = {{1, kBytes}, {2, kBytes}, {3, kBool}};
constexpr MessageRule kMv = {"holdfast.command.v1.MvArgs", kMvFields};
constexpr FieldRule kRmFields[] = {{1, kBytes, kMany}, {2, kBool}};
constexpr MessageRule kRm = {"holdfast.command.v1.RmArgs", kRmFields};
constexpr FieldRule kTailFields[] = {{1, kBytes}, {2, kUint32}, {3, kBool},
                                     {4, kBool},  {5, kBytes},  {6, kUint32}};
constexpr MessageRule kTail = {"holdfast.command.v1.TailArgs", kTailFields};
constexpr FieldRule kArchiveFields[] = {{1, kBytes, kMany}};
constexpr MessageRule kArchive = {"holdfast.command.v1.ArchiveArgs", kArchiveFields};
constexpr FieldRule kRunFields[] = {{1, kBytes, kMany}, {2, kBytes},        {3, kBytes},
                                    {4, kBytes},        {5, kBytes, kMany}, {6, kBytes}};
constexpr MessageRule kRun = {"holdfast.command.v1.RunArgs", kRunFields};
constexpr FieldRule kCollectSourceFields[] = {
    {1, kString}, {2, kBytes, kMany}, {3, kBool}, {4, kBytes, kMany}, {5, kString}};
constexpr MessageRule kCollectSource = {"holdfast.command.v1.CollectSource", kCollectSourceFields};
constexpr FieldRule kCollectFields[] = {{1, kMessage, kMany, 0, &kCollectSource},
                                        {2, kUint64},
                                        {3, kUint64},
                                        {4, kUint64},
                                        {5, kUint64}};
constexpr MessageRule kCollect = {"holdfast.command.v1.CollectArgs", kCollectFields};
constexpr FieldRule kIsolateFields[] = {{1, kUint64}, {2, kBytes, kMany}};
constexpr MessageRule kIsolate = {"holdfast.command.v1.IsolateArgs", kIsolateFields};
constexpr MessageRule kRelease = {"holdfast.command.v1.ReleaseArgs", {}};
constexpr FieldRule kMemdumpFields[] = {{1, kInt32}, {2, kUint64}, {3, kPackedUint64, kMany},
                                        {4, kBytes}, {5, kString}, {6, kBool},
                                        {7, kBool},  {8, kBool}};
constexpr MessageRule kMemdump = {"holdfast.command.v1.MemdumpArgs", kMemdumpFields};
constexpr FieldRule kCaptureFields[] = {{1, kString}, {2, kString}, {3, kBytes},
                                        {4, kUint64}, {5, kUint64}, {6, kUint64},
                                        {7, kUint32}, {8, kBool},   {9, kBool}};
constexpr MessageRule kCapture = {"holdfast.command.v1.CaptureArgs", kCaptureFields};
constexpr FieldRule kScanFields[] = {{1, kBytes, kMany}, {2, kPackedInt32, kMany},
                                     {3, kBool},         {4, kUint64},
                                     {5, kUint32},       {6, kUint32}};
constexpr MessageRule kScan = {"holdfast.command.v1.ScanArgs", kScanFields};
constexpr FieldRule kUpdateFields[] = {{1, kBytes},  {2, kBytes},  {3, kBytes, kMany},
                                       {4, kUint64}, {5, kUint64}, {6, kUint64}};
constexpr MessageRule kUpdate = {"holdfast.command.v1.UpdateArgs", kUpdateFields};
constexpr FieldRule kPtyFields[] = {{1, kBytes},  {2, kUint32},       {3, kUint32},
                                    {4, kString}, {5, kBytes, kMany}, {6, kUint64}};
constexpr MessageRule kPty = {"holdfast.command.v1.PtyArgs", kPtyFields};
constexpr FieldRule kCommandFields[] = {{1, kBytes},
                                        {2, kBytes},
                                        {3, kString},
                                        {4, kMessage, kOnce, 0, &kTarget},
                                        {5, kUint64},
                                        {6, kUint64},
                                        {7, kBytes},
                                        {8, kMessage, kOnce, 0, &kLimits},
                                        {9, kBool},
                                        {10, kMessage, kMany, 0, &kBlob},
                                        {11, kString},
                                        {12, kString},
                                        {20, kMessage, kOnce, 1, &kQuery},
                                        {21, kMessage, kOnce, 1, &kLs},
                                        {22, kMessage, kOnce, 1, &kStat},
                                        {23, kMessage, kOnce, 1, &kCat},
                                        {24, kMessage, kOnce, 1, &kHash},
                                        {25, kMessage, kOnce, 1, &kGet},
                                        {26, kMessage, kOnce, 1, &kPut},
                                        {27, kMessage, kOnce, 1, &kExec},
                                        {28, kMessage, kOnce, 1, &kPs},
                                        {29, kMessage, kOnce, 1, &kKill},
                                        {30, kMessage, kOnce, 1, &kCancel},
                                        {31, kMessage, kOnce, 1, &kFind},
                                        {32, kMessage, kOnce, 1, &kMkdir},
                                        {33, kMessage, kOnce, 1, &kCp},
                                        {34, kMessage, kOnce, 1, &kMv},
                                        {35, kMessage, kOnce, 1, &kRm},
                                        {36, kMessage, kOnce, 1, &kTail},
                                        {37, kMessage, kOnce, 1, &kArchive},
                                        {38, kMessage, kOnce, 1, &kRun},
                                        {39, kMessage, kOnce, 1, &kIsolate},
                                        {40, kMessage, kOnce, 1, &kRelease},
                                        {41, kMessage, kOnce, 1, &kCollect},
                                        {42, kMessage, kOnce, 1, &kUpdate},
                                        {43, kMessage, kOnce, 1, &kPty},
                                        {44, kMessage, kOnce, 1, &kMemdump},
                                        {45, kMessage, kOnce, 1, &kCapture},
                                        {46, kMessage, kOnce, 1, &kScan}};

// --- result.proto
constexpr FieldRule kFileFields[] = {{1, kBytes},  {2, kUint64}, {3, kUint32}, {4, kUint32},
                                     {5, kUint32}, {6, kInt64},  {7, kInt64},  {8, kInt64},
                                     {9, kInt64},  {10, kBool}};
constexpr MessageRule kFile = {"holdfast.command.v1.FileFacts", kFileFields};
constexpr FieldRule kFootprintFields[] = {{1, kUint64}, {2, kUint64}, {3, kUint64},
                                          {4, kUint64}, {5, kUint64}, {6, kUint64}};
constexpr MessageRule kFootprint = {"holdfast.command.v1.Footprint", kFootprintFields};
constexpr FieldRule kRecordingFields[] = {{1, kBytes}, {2, kUint64}};
constexpr MessageRule kRecording = {"holdfast.command.v1.RecordingFacts", kRecordingFields};
constexpr FieldRule kResultFields[] = {{1, kBytes},
                                       {2, kBytes},
                                       {3, kBytes},
                                       {4, kUint32},
                                       {5, kEnum},
                                       {6, kEnum},
                                       {7, kString},
                                       {8, kInt32},
                                       {9, kUint64},
                                       {10, kUint64},
                                       {11, kUint64},
                                       {12, kUint64},
                                       {13, kBytes},
                                       {14, kBool},
                                       {15, kMessage, kOnce, 0, &kFile},
                                       {16, kUint64},
                                       {17, kUint64},
                                       {18, kMessage, kOnce, 0, &kFootprint},
                                       {19, kMessage, kOnce, 0, &kRecording}};

// --- update.proto
constexpr FieldRule kUpdateRootFields[] = {
    {1, kBytes}, {2, kUint64}, {3, kBytes, kMany}, {4, kUint32}, {5, kUint64}};
constexpr FieldRule kReleaseFileFields[] = {{1, kString}, {2, kBytes}, {3, kUint64}};
constexpr MessageRule kReleaseFile = {"holdfast.command.v1.ReleaseFile", kReleaseFileFields};
constexpr FieldRule kReleaseFields[] = {
    {1, kString}, {2, kString}, {3, kUint64}, {4, kMessage, kMany, 0, &kReleaseFile}};

}  // namespace

constinit const MessageRule kEnvelopeRule = {"holdfast.command.v1.Envelope", kEnvelopeFields};
constinit const MessageRule kPolicyRule = {"holdfast.command.v1.Policy", kPolicyFields};
constinit const MessageRule kCertRule = {"holdfast.command.v1.OperatorCert", kCertFields};
constinit const MessageRule kLoginRule = {"holdfast.command.v1.Login", kLoginFields};
constinit const MessageRule kHelloRule = {"holdfast.command.v1.AgentHello", kHelloFields};
constinit const MessageRule kCommandRule = {"holdfast.command.v1.Command", kCommandFields,
                                            kVerbFrom, kVerbTo};
constinit const MessageRule kPtyKeyRule = {"holdfast.command.v1.PtyKey", kPtyKeyFields};
constinit const MessageRule kResultRule = {"holdfast.command.v1.Result", kResultFields};
constinit const MessageRule kUpdateRootRule = {"holdfast.command.v1.UpdateRoot", kUpdateRootFields};
constinit const MessageRule kReleaseRule = {"holdfast.command.v1.Release", kReleaseFields};

}  // namespace holdfast::sign
