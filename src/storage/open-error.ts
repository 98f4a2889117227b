/** The start cannot go on; the message is one line for the operator. */
export class StorageOpenError extends Error {
  override readonly name = "StorageOpenError";
}
