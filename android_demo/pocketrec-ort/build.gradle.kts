plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "dev.pocketrec.ort"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.minSdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }
}

dependencies {
    api(project(":pocketrec-core"))
    implementation(libs.onnxruntime.android)
    testImplementation(libs.junit)
    // The same classes with libraries for a desktop, so that unit tests run the graphs.
    testImplementation(libs.onnxruntime.jvm)
}
