/* What the JNI library looks for in libonnxruntime.so and a desktop build lacks: the Android accelerator, which we never
   ask for. Everything else comes from the library that this one is linked to. */
void *OrtSessionOptionsAppendExecutionProvider_Nnapi = 0;
